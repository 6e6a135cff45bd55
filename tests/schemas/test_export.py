from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.decode import MODELS, RECORDS
from schemas.export import CHANNELS, FOLDER, NAMES, asyncapi, differing, documents, main


def test_the_exported_files_are_what_the_models_say() -> None:
    assert differing() == []
    assert main(["--check"]) == 0


def test_a_check_names_missing_changed_and_stray_files_and_writing_mends_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", str(tmp_path)]) == 0
    assert differing(tmp_path) == []
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "json" / "post.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "json" / "stray.schema.json").write_text("{}", encoding="utf-8")
    wrong = ["asyncapi.json", "json/post.schema.json", "json/stray.schema.json"]
    assert differing(tmp_path) == wrong
    capsys.readouterr()
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert all(path in said for path in wrong)
    assert main(["--folder", str(tmp_path)]) == 0
    assert differing(tmp_path) == []


def test_every_record_has_a_valid_schema_that_stands_alone() -> None:
    assert set(NAMES) == set(RECORDS)
    for name in NAMES.values():
        schema = json.loads(documents()[f"json/{name}.schema.json"])
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(schema)
        for line in json.dumps(schema, indent=0).splitlines():
            assert '"$ref"' not in line or '"#/$defs/' in line


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    seen = 0

    def follow(node: object) -> None:
        nonlocal seen
        if isinstance(node, list):
            for item in node:
                follow(item)
        if not isinstance(node, dict):
            return
        reference = node.get("$ref")
        if reference is not None:
            seen += 1
            if reference.startswith("./"):
                assert (FOLDER / reference).is_file()
            else:
                target: object = document
                for step in reference.removeprefix("#/").split("/"):
                    assert isinstance(target, dict)
                    target = target[step]
        for item in node.values():
            follow(item)

    follow(document)
    assert seen > 60


def test_the_asyncapi_document_has_every_topic_with_its_ways() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == MODELS.keys() | {"state"}
    for topic, channel in document["channels"].items():
        assert channel["address"] == f"{{prefix}}{topic}"
        assert channel["parameters"]["prefix"]["default"] == ""
    ways = {
        (operation["action"], operation["channel"]["$ref"]) for operation in document["operations"].values()
    }
    assert ("receive", "#/channels/posts") in ways
    assert ("send", "#/channels/posts") not in ways
    assert {("send", "#/channels/findings"), ("receive", "#/channels/findings")} <= ways
    for topic, channel in CHANNELS.items():
        assert not channel.models or MODELS[topic] in channel.models
