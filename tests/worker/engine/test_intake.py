"""Who may bring what to a partition's owner."""

from __future__ import annotations

from typing import Any

import pytest

from tests.worker.engine.helpers import Feed, at, outputs
from worker.engine.ids import partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack

COUNT = 8


def _observation(feature: str = "fp:00ff") -> dict[str, Any]:
    return {
        "schema_version": 1,
        "observation_id": "o1",
        "feature": feature,
        "account_id": "u1",
        "observed_at": at(),
    }


def _finding(account_id: str, feature: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "finding_id": "f1",
        "feature": feature,
        "account_id": account_id,
        "observed_at": at(),
    }


def _reasons(pack: Pack, topic: str, value: dict[str, Any], key: bytes | None, partition: int) -> list[str]:
    judge = PartitionJudge(pack, partition, partitions=COUNT)
    judged = judge.judge([Feed().record(topic, value, key, partition)])
    return [letter["reason"] for letter in outputs(judged, "dead-letter")]


def test_an_observation_belongs_to_the_owner_of_its_feature(pack: Pack) -> None:
    feature = "fp:00ff"
    owner = partition_of(feature.encode(), COUNT)
    assert _reasons(pack, "observations", _observation(), feature.encode(), owner) == []
    assert _reasons(pack, "observations", _observation(), feature.encode(), (owner + 1) % COUNT) == [
        "misrouted"
    ]
    for key in (b"u1", None):
        assert _reasons(pack, "observations", _observation(), key, owner) == ["misrouted"]


def test_a_finding_belongs_to_the_owner_of_its_account(pack: Pack) -> None:
    owner = partition_of(b"u1", COUNT)
    assert _reasons(pack, "findings", _finding("u1", "fp:00ff"), b"u1", owner) == []
    assert _reasons(pack, "findings", _finding("u1", "fp:00ff"), b"u1", (owner + 1) % COUNT) == ["misrouted"]


@pytest.mark.parametrize("partition", range(COUNT))
def test_what_follows_for_a_partition_goes_to_its_number_whatever_the_hash(
    pack: Pack, partition: int
) -> None:
    name = f"partition:{partition}"
    assert _reasons(pack, "findings", _finding(name, "cap:x"), name.encode(), partition) == []
    other = (partition + 1) % COUNT
    assert _reasons(pack, "findings", _finding(name, "cap:x"), name.encode(), other) == ["misrouted"]
