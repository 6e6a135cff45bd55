from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.ids import action_id, digest, murmur2, partition_of

# The vectors of Kafka's own UtilsTest (org.apache.kafka.common.utils), signed there.
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "expected"), VECTORS.items())
def test_murmur2_agrees_with_the_java_client(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected % 2**32


@given(st.binary(max_size=64), st.integers(1, 512))
def test_a_partition_lies_within_the_topic(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_an_action_id_is_the_contracts_hash() -> None:
    array = '["remove","apply","post","179","violence",3,"179"]'
    assert (
        action_id("remove", "apply", "post", "179", "violence", 3, "179")
        == (hashlib.sha256(array.encode()).hexdigest()[:32])
    )


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2, unique=True))
def test_different_causes_give_different_ids(causes: list[str]) -> None:
    assert digest("x", causes[0]) != digest("x", causes[1])


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert digest("ab", "c") != digest("a", "bc")
