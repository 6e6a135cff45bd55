"""Facts are strict: what is misspelt, impossible or doubled is a fault with its line."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from worker.engine.facts import Avatar, Bank, Consent, Event, Facts, Identity, Print, load_facts
from worker.engine.registry import DEFAULT_PACK
from worker.engine.tomlfile import Problem

EVENT: dict[str, Any] = {
    "jurisdiction": "ZZ",
    "name": "Harbour vote",
    "kind": "election",
    "opens": date(2027, 5, 6),
    "closes": date(2027, 5, 6),
    "timezone": "Europe/Paris",
    "eligibility_url": "https://vote.example.org/",
    "read_at": date(2026, 11, 23),
}
CONSENT: dict[str, Any] = {
    "advertiser": "Shoes",
    "account_id": "u1",
    "scope": "video",
    "from": date(2026, 1, 1),
}
TEXT = " ".join(f"word{number}" for number in range(40))


def event(**more: Any) -> Event:
    return Event.model_validate({**EVENT, **more})


def load(folder: Path, **files: str) -> tuple[Facts, list[str]]:
    """Facts of the files (their names without .toml), and the problems as `file:line: reason`."""
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    facts = load_facts(folder, problems)
    return facts, [str(problem).removeprefix(f"{folder}/") for problem in problems]


def test_a_date_is_the_whole_local_day() -> None:
    made = event()
    assert made.opens_at == datetime(2027, 5, 5, 22, tzinfo=UTC)
    assert made.closes_at == datetime(2027, 5, 6, 22, tzinfo=UTC)
    assert made.first_day == made.last_day == date(2027, 5, 6)
    assert not made.is_over(datetime(2027, 5, 6, 21, 59, tzinfo=UTC))
    assert made.is_over(datetime(2027, 5, 6, 22, tzinfo=UTC))


def test_a_time_without_an_offset_is_local_and_one_with_an_offset_is_that_moment() -> None:
    made = event(opens=datetime(2027, 5, 6, 8), closes=datetime(2027, 5, 6, 23, tzinfo=UTC))
    assert made.opens_at == datetime(2027, 5, 6, 6, tzinfo=UTC)
    assert made.closes_at == datetime(2027, 5, 6, 23, tzinfo=UTC)
    assert (made.first_day, made.last_day) == (date(2027, 5, 6), date(2027, 5, 7))


@pytest.mark.parametrize("jurisdiction", ["US", "US-KY", "GB-SCT", "EU", "ZZ", "XK"])
def test_codes_of_iso_3166_are_jurisdictions(jurisdiction: str) -> None:
    assert event(jurisdiction=jurisdiction).jurisdiction == jurisdiction


@pytest.mark.parametrize(
    "wrong",
    [
        {"jurisdiction": "UK"},
        {"jurisdiction": "us"},
        {"jurisdiction": "US-"},
        {"timezone": "Europe/Harbour"},
        {"timezone": "../etc/passwd"},
        {"eligibility_url": "http://vote.example.org/"},
        {"eligibility_url": "https://vote"},
        {"opens": "2027-05-06"},
        {"closes": date(2027, 5, 5)},
        {"closes": datetime(2027, 5, 6, 0, 0)},
        {"name": ""},
        {"metods": ["mail"]},
    ],
)
def test_an_event_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event(**wrong)


def test_handles_are_kept_without_the_at_sign() -> None:
    identity = Identity.model_validate(
        {
            "name": "Harbour",
            "kind": "government",
            "handles": ["@harbour"],
            "read_at": date(2026, 1, 1),
            "source": "s",
        }
    )
    assert identity.handles == ("harbour",)


def test_an_avatar_needs_a_hash() -> None:
    assert Avatar(pdq="AB" * 32).pdq == "ab" * 32
    with pytest.raises(ValidationError, match="sha256 or a pdq"):
        Avatar()


def test_a_consent_holds_for_its_account_in_its_time() -> None:
    consent = Consent.model_validate({**CONSENT, "until": date(2026, 6, 30)})
    assert consent.holds("u1", datetime(2026, 1, 1, tzinfo=UTC))
    assert consent.holds("u1", datetime(2026, 6, 30, 23, 59, tzinfo=UTC))
    assert not consent.holds("u1", datetime(2026, 7, 1, tzinfo=UTC))
    assert not consent.holds("u1", datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    assert not consent.holds("u2", datetime(2026, 2, 1, tzinfo=UTC))
    assert Consent.model_validate(CONSENT).holds("u1", datetime(2036, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "until", [date.max, datetime.max, datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-8)))]
)
def test_a_consent_until_the_last_of_all_days_holds_for_ever(until: date) -> None:
    consent = Consent.model_validate({**CONSENT, "from": date.min, "until": until})
    assert consent.holds("u1", datetime(9000, 1, 1, tzinfo=UTC))
    assert consent.holds("u1", datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_an_event_that_never_closes_is_not_over(zone: str) -> None:
    made = event(opens=date.min, closes=date.max, timezone=zone)
    assert not made.is_over(datetime(9000, 1, 1, tzinfo=UTC))
    assert (made.first_day, made.last_day) == (date.min, date.max)
    assert event(closes=datetime.max.replace(tzinfo=UTC), timezone=zone).last_day == date.max


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"advertiser": None}, "subject or its advertiser"),
        ({"scope": None}, "scope or its media_sha256"),
        ({"until": date(2025, 1, 1)}, "before from"),
        ({"media_sha256": "ab"}, "pattern"),
    ],
)
def test_a_consent_that_says_nothing_is_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Consent.model_validate({**CONSENT, **wrong})


def test_a_print_has_shingles_or_a_text() -> None:
    base = {"name": "p", "policy": "copyright", "source": "s"}
    assert Print.model_validate({**base, "shingles": ["00000000000000ff"]}).values == {255}
    assert len(Print.model_validate({**base, "text": TEXT}).values) > 10
    for wrong in (
        {},
        {"text": TEXT, "shingles": ["00000000000000ff"]},
        {"shingles": ["ff"]},
        {"text": "too short"},
    ):
        with pytest.raises(ValidationError):
            Print.model_validate({**base, **wrong})


def test_a_bank_belongs_to_a_policy() -> None:
    base = {"name": "b", "source": "s", "opinion": "seed"}
    with pytest.raises(ValidationError):
        Bank.model_validate({**base, "policy": "manners"})
    assert Bank.model_validate({**base, "policy": "copyright", "md5": ["AB" * 16]}).md5 == ("ab" * 16,)


def test_all_files_may_be_missing(tmp_path: Path) -> None:
    facts, problems = load(tmp_path)
    assert not problems
    assert (facts.calendar, facts.identities, facts.consents, facts.banks, facts.prints) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert not facts.hashes
    assert not facts.fingerprints
    assert load(tmp_path / "nowhere")[1] == []


def _toml(table: str, values: dict[str, Any]) -> str:
    lines = [
        f"{key} = {value if isinstance(value, date) else json.dumps(value)}" for key, value in values.items()
    ]
    return "\n".join([f"[[{table}]]", *lines, ""])


def test_every_file_is_read(tmp_path: Path) -> None:
    facts, problems = load(
        tmp_path,
        civic_calendar=_toml("event", EVENT),
        protected_identities=_toml(
            "identity", {"name": "Harbour", "kind": "brand", "read_at": date(2026, 1, 1), "source": "s"}
        ),
        consents=_toml("consent", CONSENT),
        hash_banks=_toml(
            "bank",
            {
                "name": "b",
                "policy": "copyright",
                "source": "s",
                "opinion": "confirmed",
                "sha256": ["ab" * 32],
            },
        ),
        text_prints=_toml(
            "print", {"name": "p", "policy": "copyright", "source": "s", "shingles": ["00000000000000ff"]}
        ),
    )
    assert not problems
    assert [
        len(part) for part in (facts.calendar, facts.identities, facts.consents, facts.banks, facts.prints)
    ] == [1] * 5
    assert facts.consents[0].from_ == date(2026, 1, 1)
    assert facts.hashes.find(sha256="AB" * 32)
    assert facts.fingerprints
    assert facts.hashes is facts.hashes


def test_faults_are_told_with_their_line(tmp_path: Path) -> None:
    calendar = _toml("event", {**EVENT, "timezone": "Mars/Base"})
    _, problems = load(tmp_path, civic_calendar=calendar, consents="[[consent]]\nfrm = 1\n")
    line = calendar.splitlines().index('timezone = "Mars/Base"') + 1
    assert any(
        problem.startswith(f"civic_calendar.toml:{line}: event.0.timezone: ") and "Mars/Base" in problem
        for problem in problems
    )
    assert any(problem.startswith("consents.toml:2: ") for problem in problems)


def test_what_is_there_twice_is_told(tmp_path: Path) -> None:
    def identity(**more: Any) -> str:
        base = {"name": "A", "kind": "brand", "read_at": date(2026, 1, 1), "source": "s"}
        return _toml("identity", {**base, **more})

    bank = _toml("bank", {"name": "b", "policy": "copyright", "source": "s", "opinion": "seed"})
    one = _toml(
        "print", {"name": "p", "policy": "copyright", "source": "s", "shingles": ["00000000000000ff"]}
    )
    _, problems = load(
        tmp_path,
        civic_calendar=_toml("event", EVENT) * 2,
        protected_identities=identity(handles=["Port"], account_ids=["u1"])
        + identity(handles=["port"], account_ids=["u1"]),
        hash_banks=bank * 2,
        text_prints=one * 2,
    )
    reasons = [problem.partition(": ")[2] for problem in problems]
    assert reasons == [
        "ZZ has two events called Harbour vote",
        "two identities are called A",
        "the handle port belongs to two identities",
        "the account u1 belongs to two identities",
        "two banks are called b",
        "two prints are called p",
    ]
    assert all(problem.partition(": ")[0].endswith(tuple("0123456789")) for problem in problems)


def test_a_pack_must_not_hold_the_text_of_a_print(tmp_path: Path) -> None:
    table = _toml("print", {"name": "p", "policy": "copyright", "source": "s", "text": TEXT})
    assert "must not hold its text" in load(tmp_path, text_prints=table)[1][0]


def test_a_file_that_nobody_reads_is_told(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("about", encoding="utf-8")
    _, problems = load(tmp_path, civic_calender="")
    assert problems == [
        "civic_calender.toml: is no file of facts; there are civic_calendar.toml, protected_identities.toml, "
        "consents.toml, hash_banks.toml, text_prints.toml, common_domains.toml, automation.toml"
    ]


# --- the facts that ship with the worker


@pytest.fixture(scope="module")
def shipped() -> Facts:
    problems: list[Problem] = []
    facts = load_facts(DEFAULT_PACK / "facts", problems)
    assert not problems
    return facts


def test_shipped_events_are_on_the_weekday_that_their_law_says(shipped: Facts) -> None:
    weekdays = {
        "US": {1},
        "BR": {6},
        "MX": {6},
        "ES": {6},
        "AR": {6},
        "CO": {6},
        "DO": {6},
        "GB": {3},
        "CH": {6},
    }
    weekdays |= {"FI": {6}, "EE": {6}, "AU": {5}, "KE": {1}, "PH": {0}}
    for one in shipped.calendar:
        assert one.first_day.weekday() in weekdays[one.jurisdiction[:2]], one.name
        assert one.first_day == one.last_day
        assert one.methods
        assert one.aliases
    assert date(2026, 11, 3) in {one.first_day for one in shipped.calendar}
    assert date(2028, 11, 7) in {one.first_day for one in shipped.calendar}


def test_an_alias_names_at_most_one_event_that_is_not_over(shipped: Facts) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    names = [alias.casefold() for one in shipped.calendar if not one.is_over(now) for alias in one.aliases]
    assert len(names) == len(set(names))


def test_shipped_identities_have_placeholder_accounts_and_are_no_persons(shipped: Facts) -> None:
    assert len(shipped.identities) >= 12
    for one in shipped.identities:
        assert one.kind != "person"
        assert one.handles
        assert one.domains
        assert all(account.startswith("official-") for account in one.account_ids)


def test_nothing_else_is_shipped(shipped: Facts) -> None:
    assert (shipped.consents, shipped.banks, shipped.prints) == ((), (), ())


def test_consents_that_say_the_same_of_the_same_time_are_a_fault(tmp_path: Path) -> None:
    ended = _toml("consent", {**CONSENT, "until": date(2026, 12, 31)})
    opened = _toml("consent", {**CONSENT, "from": date(2026, 6, 1)})
    renewed = _toml("consent", {**CONSENT, "from": date(2027, 1, 1)})
    other = _toml("consent", {**CONSENT, "scope": "posts"})
    assert load(tmp_path, consents=ended + renewed + other)[1] == []
    (problem,) = load(tmp_path, consents=ended + opened)[1]
    assert problem.startswith("consents.toml:")
    assert "two consents of Shoes for u1" in problem
    assert "from 2026-01-01 and from 2026-06-01 on" in problem
