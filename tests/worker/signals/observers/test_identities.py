"""What of a profile looks like that of a protected identity."""

from __future__ import annotations

from datetime import date

import pytest

from tests.worker.signals.observers.helpers import account, media, observe, post, seen
from worker.engine.facts import Avatar, Facts, Identity
from worker.signals.folding import fold
from worker.signals.observers import identities
from worker.signals.observers.identities import OBSERVER

PDQ = "f0" * 32
FACTS = Facts(
    identities=(
        Identity(
            name="Ostrander Bank",
            kind="brand",
            account_ids=("official",),
            handles=("OstranderBank",),
            display_names=("Ostrander Bank",),
            avatar=Avatar(sha256="1" * 64, pdq=PDQ),
            read_at=date(2026, 11, 23),
            source="https://example.com",
        ),
        Identity(
            name="United Nations",
            kind="organisation",
            handles=("UN",),
            display_names=("UN",),
            read_at=date(2026, 11, 23),
            source="https://example.com",
        ),
    )
)


def _names(handle: str = "", display: str = "", bio: str = "") -> set[str]:
    subject = account({"handle": handle, "display_name": display, "bio": bio})
    return {name for name, _ in seen(OBSERVER, subject, FACTS)}


@pytest.mark.parametrize("handle", ["OstrаnderBаnk", "0stranderBank", "Ostrander_Bank", "ostranderbank"])
def test_a_handle_that_looks_the_same(handle: str) -> None:
    assert _names(handle) == {"identity.handle-same"}


@pytest.mark.parametrize("handle", ["OstranderrBank", "OstrnaderBank", "OstranderBan"])
def test_a_handle_with_a_slip(handle: str) -> None:
    assert _names(handle) == {"identity.handle-near"}


@pytest.mark.parametrize(
    "handle",
    [
        "OstranderBank_Official",
        "realostranderbank",
        "ostranderbank_support24",
        "OstranderBankHelpTeam",
        "UN_official",
    ],
)
def test_a_stuffed_handle(handle: str) -> None:
    assert _names(handle) == {"identity.handle-stuffed"}


@pytest.mark.parametrize(
    "handle",
    ["unofficial", "ostranderbank_fans", "ostrander_fc", "bankofostrandia", "unity", "parody_ostranderbank"],
)
def test_other_handles(handle: str) -> None:
    assert _names(handle) == set()


@pytest.mark.parametrize("name", ["Ostrander Bank", "OSTRANDER BANK ✅", "Ostrаnder Bаnk", "OstranderBank"])
def test_a_display_name_that_looks_the_same(name: str) -> None:
    assert _names(display=name) == {"identity.name-same"}


def test_a_stuffed_display_name() -> None:
    assert _names(display="Ostrander Bank Support Team") == {"identity.name-stuffed"}
    assert _names(display="Ostrander Bank (parody)") == set()
    assert _names(display="Ostrander Bank UK") == set()
    assert _names(display="Ostrander Bank customers club") == set()


def test_a_bio_that_names_it() -> None:
    assert _names(bio="Official help of Ostrander Bank") == {"identity.bio-named"}
    assert _names(bio="Ostrander village bank holiday club") == set()


def test_its_picture_by_either_hash() -> None:
    exact = account({}, avatar=media(sha256="1" * 64))
    near = account({}, avatar=media(pdq="f1" + PDQ[2:], pdq_quality=80))
    poor = account({}, avatar=media(pdq=PDQ, pdq_quality=10))
    assert seen(OBSERVER, exact, FACTS) == {("identity.avatar", "profile.avatar")}
    assert seen(OBSERVER, near, FACTS) == {("identity.avatar", "profile.avatar")}
    assert observe(OBSERVER, poor, FACTS) == []


def test_its_own_account_is_never_reported() -> None:
    assert observe(OBSERVER, account({"handle": "OstranderBank"}, account_id="official"), FACTS) == []


def test_posts_are_not_looked_at_and_a_pack_without_identities_is_not_ready() -> None:
    assert observe(OBSERVER, post(author={"handle": "OstranderBank"}), FACTS) == []
    assert OBSERVER.ready(FACTS)
    assert not OBSERVER.ready(Facts())


def test_the_detail_says_whom_it_resembles() -> None:
    [hit] = observe(OBSERVER, account({"handle": "0stranderBank"}), FACTS)
    assert hit.detail == "looks the same as the handle of Ostrander Bank"


def test_a_name_is_read_as_far_as_anybody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def count(text: str) -> str:
        read.append(len(text))
        return fold(text)

    monkeypatch.setattr(identities, "fold", count)
    assert _names(handle="Ostrander_" * 5_000, display="UN " * 16_000, bio="Ostrander Bank " * 4_000) == {
        "identity.bio-named"
    }
    assert max(read) <= 5_002
    assert sorted(read)[-3] <= 302


def test_a_protected_name_at_the_start_of_a_long_one_is_seen() -> None:
    assert _names(display="Ostrander Bank Support" + " " * 500) == {"identity.name-stuffed"}
