"""State on disk, for more accounts than memory: a RocksDB store for each partition, in a folder of this process.

It extends the cache and is never the truth: the `state` topic is. A folder is wiped when it is opened and when it is
closed, and nothing in it outlives its process.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteOptions

from worker.adapters.folders import claim_part
from worker.engine.store import StoreError

_MIB = 1 << 20
_WRITE_BUFFER = 16 * _MIB  # of each partition, twice: one fills while the other is written
_BLOCK_CACHE = 64 * _MIB  # of all partitions together
_OPEN_FILES = 256  # of each partition
_BLOOM_BITS = 10  # a key: one look-up in a hundred of an unknown account reads the disk


class Spill:
    """A process's part of the state folder. Several processes may share the folder: each locks a part of its own.

    What processes that are gone left behind is wiped by the next that starts.

    Raises:
        StoreError: the folder cannot be written to.
    """

    def __init__(self, root: Path) -> None:
        self._cache = Cache(_BLOCK_CACHE)
        self._opened = count()
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._lock, self._folder = claim_part(root)
        except OSError as error:
            raise StoreError(f"the state folder {root} cannot be used: {_reason(error)}") from error

    def open(self, partition: int) -> SpillStore:
        """An empty store for a partition.

        Raises:
            StoreError: it cannot be opened.
        """
        # A number of its own for each opening: one that comes back may be opened before the old one is closed.
        return SpillStore(self._folder / f"partition-{partition}-{next(self._opened)}", self._cache)

    def close(self) -> None:
        """Wipes this process's part and lets go of it; its stores must be closed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)


class SpillStore:
    """As `worker.engine.store.Store`, in a folder that is wiped first. Values are the bytes given, nothing is pickled."""

    def __init__(self, folder: Path, cache: Cache | None = None) -> None:
        self._folder = folder
        self._alive = str(folder / "CURRENT")
        self._closed = False
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._db = Rdict(str(folder), _options(Cache(_BLOCK_CACHE) if cache is None else cache))
            writing = WriteOptions()
            # After a crash everything is restored from the topic anyway. (A property, whatever its stub says.)
            writing.disable_wal = True  # type: ignore[method-assign,assignment]
            self._db.set_write_options(writing)
        except Exception as error:
            raise self._failed(error) from error

    def get(self, key: bytes) -> bytes | None:
        """As `Store.get`."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise self._failed(error) from error
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """As `Store.put`."""
        try:
            self._db[key] = value
        except Exception as error:
            raise self._failed(error) from error

    def delete(self, key: bytes) -> None:
        """As `Store.delete`."""
        try:
            self._db.delete(key)
        except Exception as error:
            raise self._failed(error) from error

    def __contains__(self, key: bytes) -> bool:
        try:
            return key in self._db
        except Exception as error:
            raise self._failed(error) from error

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """As `Store.keys`, in the order of their bytes."""
        try:
            for key in self._db.keys(from_key=prefix):
                if not isinstance(key, bytes) or not key.startswith(prefix):
                    return
                yield key
        except Exception as error:
            raise self._failed(error) from error

    def check(self) -> None:
        """As `Store.check`: a folder that somebody deleted would be missed only when the next file is written."""
        if not os.path.exists(self._alive):
            raise StoreError(f"the state folder {self._folder} is gone: was it deleted while the worker ran?")

    @property
    def disk_bytes(self) -> int | None:
        """As `Store.disk_bytes`; what is not yet in a file counts too."""
        try:
            files = self._db.property_int_value("rocksdb.total-sst-files-size") or 0
            return files + (self._db.property_int_value("rocksdb.cur-size-all-mem-tables") or 0)
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """As `Store.close`; the folder is deleted."""
        if self._closed:
            return
        self._closed = True
        # What a full disk or a missing folder says now changes nothing: all of it goes.
        with contextlib.suppress(Exception):
            self._db.cancel_all_background(wait=False)
        with contextlib.suppress(Exception):
            self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _failed(self, error: Exception) -> StoreError:
        """What is raised instead of rocksdict's bare `Exception`, which it raises for whatever RocksDB says."""
        return StoreError(f"the state folder {self._folder} failed: {_reason(error)}")


def _options(cache: Cache) -> Options:
    options = Options(raw_mode=True)  # bytes only; the other mode would pickle
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER)
    options.set_max_write_buffer_number(3)
    options.set_max_background_jobs(2)
    options.set_max_open_files(_OPEN_FILES)
    options.set_keep_log_file_num(1)
    options.set_max_log_file_size(_MIB)
    options.set_stats_dump_period_sec(0)
    # What is written last is rewritten soonest: only what sinks is worth compressing.
    plain, packed = DBCompressionType.none(), DBCompressionType.lz4()
    options.set_compression_per_level([plain, plain, packed, packed, packed, packed, packed])
    options.set_level_zero_file_num_compaction_trigger(8)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(_BLOOM_BITS, False)
    blocks.set_block_cache(cache)
    options.set_block_based_table_factory(blocks)
    return options


def _reason(error: Exception) -> str:
    """What the system said, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:300]
