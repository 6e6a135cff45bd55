from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.engine.state import DAY, REMEMBERED_ACTIONS, REMEMBERED_POSTS, Account, Accounts, InForce, Strike


def test_a_post_is_seen_again_within_a_day() -> None:
    account = Account()
    assert not account.seen("p", 0)
    assert account.seen("p", DAY - 1)
    assert not account.seen("p", DAY)


def test_only_the_last_512_posts_are_remembered() -> None:
    account = Account()
    for number in range(REMEMBERED_POSTS + 1):
        account.seen(str(number), number)
    assert len(account.recent) == REMEMBERED_POSTS
    assert not account.seen("0", 600)
    assert account.seen("2", 600)


def test_an_action_with_an_end_stands_until_then_whether_or_not_a_timer_ran() -> None:
    action = InForce("id", "suspend", "account", "u1", "read_only", 1_000)
    assert action.stands(999)
    assert not action.stands(1_000)


def test_strikes_expire() -> None:
    account = Account()
    account.add_strike(Strike("violence", 2, 1_000, "a1"), 0)
    assert account.active_strikes(999) == 2
    assert account.active_strikes(1_000) == 0


def test_remembered_actions_are_bounded_and_keep_the_accounts_own() -> None:
    account = Account()
    account.remember(InForce("first", "suspend", "account", "u1", "suspended", None), 0)
    for number in range(REMEMBERED_ACTIONS * 2):
        account.remember(InForce(str(number), "remove", "post", str(number), "", None), 0)
    assert len(account.actions) == REMEMBERED_ACTIONS
    assert account.actions[0].action_id == "first"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 2**52), max_size=5
    ),
    st.integers(0, 2**60),
    st.lists(
        st.builds(
            Strike,
            st.sampled_from(["violence", "copyright"]),
            st.integers(1, 5),
            st.integers(0, 2**52),
            st.just("a1"),
        ),
        max_size=3,
    ),
)
def test_a_record_survives_its_bytes(recent: dict[str, int], clock: int, strikes: list[Strike]) -> None:
    account = Account(
        clock, recent, strikes, [InForce("a", "label", "post", "p", "misleading", None)], {"i": "p"}
    )
    again = Account.from_bytes(account.to_bytes())
    assert again.to_bytes() == account.to_bytes()
    assert (again.recent, again.strikes, again.actions) == (account.recent, account.strikes, account.actions)


def test_flushed_accounts_are_restored_as_they_were() -> None:
    accounts = Accounts()
    accounts.get("u1").seen("p", 5)
    accounts.touch("u1")
    again = Accounts()
    for key, value in accounts.flush().items():
        again.restore(key.decode()[2:], value)
    assert again.get("u1").to_bytes() == accounts.get("u1").to_bytes()
    assert len(again) == 1
    assert accounts.flush() == {}


def test_an_erased_account_leaves_a_tombstone() -> None:
    accounts = Accounts()
    accounts.get("u1").seen("p", 5)
    accounts.touch("u1")
    accounts.flush()
    accounts.erase("u1")
    assert accounts.flush() == {b"a:u1": None}
    assert "u1" not in accounts
