from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.adapters.spill import SpillStore
from worker.engine.store import MemoryStore, Store


@pytest.fixture(params=["memory", "spill"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SpillStore(tmp_path / "store")


def test_what_was_put_last_is_found(store: Store) -> None:
    store.put(b"a:1", b"one")
    store.put(b"a:1", b"two\x00\xff")
    assert store.get(b"a:1") == b"two\x00\xff"
    assert b"a:1" in store
    store.close()


def test_what_was_deleted_or_never_put_is_not_there(store: Store) -> None:
    store.put(b"a:1", b"")
    assert store.get(b"a:1") == b""
    store.delete(b"a:1")
    store.delete(b"a:2")
    assert store.get(b"a:1") is None
    assert b"a:1" not in store
    assert store.get(b"a:2") is None
    store.close()


def test_keys_are_those_with_the_prefix(store: Store) -> None:
    for key in (b"a:2", b"x:1", b"a:1", b"p:0", b"b"):
        store.put(key, b"")
    store.delete(b"a:2")
    store.put("a:é".encode(), b"")
    assert sorted(store.keys(b"a:")) == [b"a:1", "a:é".encode()]
    assert sorted(store.keys(b"")) == [b"a:1", "a:é".encode(), b"b", b"p:0", b"x:1"]
    assert list(store.keys(b"z")) == []
    store.close()


def test_only_what_lies_on_disk_takes_disk(store: Store) -> None:
    store.put(b"a:1", b"x" * 1000)
    assert store.disk_bytes is None if isinstance(store, MemoryStore) else (store.disk_bytes or 0) > 1000
    store.check()
    store.close()
    store.close()


@settings(deadline=None)  # RocksDB on a busy disk
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "delete", "get"]),
            st.binary(min_size=1, max_size=3),
            st.binary(max_size=20),
        ),
        max_size=40,
    )
)
def test_both_stores_hold_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes, bytes]]
) -> None:
    memory, spill = MemoryStore(), SpillStore(tmp_path_factory.mktemp("spill") / "store")
    for what, key, value in steps:
        for store in (memory, spill):
            if what == "put":
                store.put(key, value)
            elif what == "delete":
                store.delete(key)
        assert memory.get(key) == spill.get(key)
        assert (key in memory) == (key in spill)
    assert sorted(memory.keys(b"")) == list(spill.keys(b""))
    spill.close()
