"""Every policy that ships is proven by enough cases, hard near misses and other spellings among them."""

from __future__ import annotations

from collections import Counter

import pytest

from worker.engine.cases import Case, read_cases
from worker.engine.registry import DEFAULT_PACK, Pack

POLICIES = sorted(folder.parent.name.replace("_", "-") for folder in DEFAULT_PACK.glob("*/policy.toml"))
FIRING = frozenset({"violation", "review", "at_risk"})
# Nothing is described there, so that little can be written; stand-ins, hashes and accounts must do.
FEWER = {"child-sexual-exploitation": 15}


def cases_of(pack: Pack, policy: str) -> tuple[Case, ...]:
    return next(read_cases(loaded).case for loaded in pack.policies if loaded.policy.id == policy)


def is_varied(case: Case) -> bool:
    """In another language than English, or spelt to slip past filters."""
    return (case.lang or "en")[:2] != "en" or any(tag.startswith(("lang:", "evasion:")) for tag in case.tags)


def test_all_nineteen_policies_ship() -> None:
    assert len(POLICIES) == 19


@pytest.mark.parametrize("policy", POLICIES)
def test_at_least_forty_cases_fire_and_forty_near_misses_do_not(default_pack: Pack, policy: str) -> None:
    counted = Counter(
        "fires" if case.expect in FIRING else case.expect for case in cases_of(default_pack, policy)
    )
    assert counted["fires"] >= FEWER.get(policy, 40)
    assert counted["clear"] >= 40
    assert counted["abstain"] >= 1


@pytest.mark.parametrize("policy", POLICIES)
def test_most_firing_cases_are_violations(default_pack: Pack, policy: str) -> None:
    counted = Counter(case.expect for case in cases_of(default_pack, policy))
    helped = policy == "suicide-self-harm"  # where people at risk are half of what is looked for
    firing = sum(counted[word] for word in FIRING)
    assert counted["violation"] >= firing * (0.3 if helped else 0.6)


@pytest.mark.parametrize("policy", POLICIES)
def test_eight_of_each_kind_are_in_other_languages_or_disguised(default_pack: Pack, policy: str) -> None:
    varied = [case for case in cases_of(default_pack, policy) if is_varied(case)]
    least = 4 if policy in FEWER else 8
    assert sum(case.expect in FIRING for case in varied) >= least
    assert sum(case.expect == "clear" for case in varied) >= 8


@pytest.mark.parametrize("policy", POLICIES)
def test_no_two_cases_are_one_template_filled_in(default_pack: Pack, policy: str) -> None:
    """Cases that share all but one word and are decided alike prove one thing; a contrast pair proves two."""
    seen: dict[tuple[str, ...], str] = {}
    for case in cases_of(default_pack, policy):
        words = case.text.lower().split()
        if len(words) < 6 or case.media or case.profile:
            continue
        for place in range(len(words)):
            holed = (case.expect, *words[:place], "", *words[place + 1 :])
            assert seen.setdefault(holed, case.name) == case.name, f"{case.name} is like {seen[holed]}"
