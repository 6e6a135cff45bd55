"""The models that a pack names: found, refused, missing."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.worker.engine.helpers import CACHE, PACK, Feed, outputs, post
from tests.worker.learned import onnx_files
from worker.engine.judge import PartitionJudge
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack
from worker.engine.tomlfile import PackError

FILES = ("fast.npz", "fast.json", "second.onnx", "second.tokenizer.json", "second.json")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A pack of its own with the bundled fast model and a small second one."""
    root = tmp_path / "pack"
    shutil.copytree(PACK.parent / "care", root)
    models = root / "models"
    models.mkdir()
    for name in ("fast.npz", "fast.json"):
        shutil.copy(DEFAULT_PACK / "models" / name, models)
    for made, name in zip(
        onnx_files.write(tmp_path), ("second.onnx", "second.tokenizer.json", "second.json"), strict=True
    ):
        shutil.move(made, models / name)
    lines = [
        "",
        "[models]",
        "share = 0.5",
        "[models.fast]",
        'weights = "models/fast.npz"',
        'about = "models/fast.json"',
    ]
    lines += [
        "[models.second]",
        'weights = "models/second.onnx"',
        'tokenizer = "models/second.tokenizer.json"',
    ]
    lines += ['about = "models/second.json"', "[models.sha256]"]
    lines += [
        f'"models/{name}" = "{hashlib.sha256((models / name).read_bytes()).hexdigest()}"' for name in FILES
    ]
    with (root / "pack.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    policy = root / "illegal_goods" / "policy.toml"
    text = policy.read_text("utf-8").replace(
        "\n[[terms]]", "\n[learned]\nband = 0.0\nreview = 0.5\nremove = 0.9\n\n[[terms]]", 1
    )
    policy.write_text(text, "utf-8")
    return root


def load(root: Path) -> Pack:
    return load_pack(root, cache_dir=CACHE)


def test_a_pack_brings_its_models(root: Path) -> None:
    pack = load(root)
    assert pack.models.degraded == ()
    assert pack.models.warning is None
    assert set(pack.models.sha256) == {f"models/{name}" for name in FILES}
    judged = PartitionJudge(pack, 0).judge(Feed().posts(post("buy pills")))
    (removal,) = outputs(judged, "enforcement.remove")
    assert removal["policy"] == "illegal-goods"
    assert [item["signal"] for item in removal["evidence"]] == ["learned.illegal-goods"]
    assert (removal["evidence"][0]["start"], removal["evidence"][0]["end"]) == (0, 9)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_the_one_named_is_refused(root: Path, name: str) -> None:
    with (root / "models" / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(PackError, match=f"{name}: is not the model that pack.toml names: its SHA-256 is"):
        load(root)


@pytest.mark.parametrize("name", FILES[2:])
def test_without_the_second_model_nothing_is_acted_on_by_models(root: Path, name: str) -> None:
    (root / "models" / name).unlink()
    pack = load(root)
    assert pack.models.degraded == ("second",)
    judged = PartitionJudge(pack, 0).judge(Feed().posts(post("buy pills"), post("zapfruit", "2")))
    assert [action["post_id"] for action in outputs(judged, "enforcement.remove")] == ["2"]


@pytest.mark.parametrize("name", FILES[:2])
def test_without_the_fast_model_the_rules_judge_alone(root: Path, name: str) -> None:
    (root / "models" / name).unlink()
    pack = load(root)
    assert pack.models.cascade is None
    assert pack.models.degraded == ("fast",)
    assert pack.models.warning is not None
    judged = PartitionJudge(pack, 0).judge(Feed().posts(post("zapfruit")))
    assert len(outputs(judged, "enforcement.remove")) == 1


def test_a_file_without_a_hash_is_refused(root: Path) -> None:
    file = root / "pack.toml"
    lines = [
        line for line in file.read_text("utf-8").splitlines() if not line.startswith('"models/second.json"')
    ]
    file.write_text("\n".join(lines), "utf-8")
    with pytest.raises(PackError, match=r'models\.sha256 does not name "models/second\.json"'):
        load(root)


def test_a_file_that_is_no_model_is_refused_even_with_its_hash(root: Path) -> None:
    file, pack = root / "models" / "fast.npz", root / "pack.toml"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(b"no model")
    after = hashlib.sha256(b"no model").hexdigest()
    pack.write_text(pack.read_text("utf-8").replace(before, after), "utf-8")
    with pytest.raises(PackError, match=r"a model cannot be used: fast\.npz: "):
        load(root)


def test_pickled_arrays_are_never_loaded(root: Path) -> None:
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, table=np.array([{"a": 1}], dtype=object))
    file, pack = root / "models" / "fast.npz", root / "pack.toml"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(buffer.getvalue())
    after = hashlib.sha256(buffer.getvalue()).hexdigest()
    pack.write_text(pack.read_text("utf-8").replace(before, after), "utf-8")
    with pytest.raises(PackError, match="allow_pickle=False"):
        load(root)
