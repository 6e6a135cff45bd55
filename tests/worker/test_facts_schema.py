"""The exported schema of facts is what the models say, and the shipped facts fit it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from worker.engine.facts import FILES
from worker.engine.registry import DEFAULT_PACK
from worker.facts_schema import FOLDER, differing, documents, main


def test_the_exported_files_are_up_to_date() -> None:
    assert differing() == []
    assert main(["--check"]) == 0


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert differing(tmp_path) == list(documents())


@pytest.mark.parametrize("name", FILES)
def test_shipped_facts_fit_their_schema(name: str) -> None:
    schema = json.loads((FOLDER / f"{name.removesuffix('.toml')}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    facts = tomllib.loads((DEFAULT_PACK / "facts" / name).read_text(encoding="utf-8"))
    as_json = json.loads(json.dumps(facts, default=str))
    assert list(Draft202012Validator(schema).iter_errors(as_json)) == []
    assert list(Draft202012Validator(schema).iter_errors({"nothing": []}))
