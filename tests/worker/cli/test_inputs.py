from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from worker.cli.errors import CommandError
from worker.cli.inputs import open_lines


def test_a_gzip_file_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(gzip.compress(b"one\r\ntwo\n\nlast"))
    with open_lines(str(file)) as lines:
        assert list(lines) == [b"one", b"two", b"", b"last"]


def test_progress_counts_what_lies_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"line\n" * 10)
    with open_lines(str(file)) as lines:
        assert lines.size == 50
        assert list(lines) == [b"line"] * 10
        assert lines.position() == 50


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    with open_lines(str(file)) as lines:
        assert list(lines) == []


def test_damaged_gzip_data_is_named(tmp_path: Path) -> None:
    file = tmp_path / "posts.gz"
    file.write_bytes(gzip.compress(b"line\n" * 1000)[:-20])
    with open_lines(str(file)) as lines, pytest.raises(CommandError, match="damaged gzip data"):
        list(lines)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Is a directory"), open_lines(str(tmp_path)):
        pass
