"""An operator's own model: described in TOML, checked, and asked in the sandbox."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from worker.media.classifier import ClassifierError, choose, load_classifier
from worker.media.item import Asked, Limits
from worker.media.sandbox import Sandbox


def save_model(folder: Path, name: str = "red.onnx") -> Path:
    """A model that gives the mean of each colour: its "classes" are red, green and blue."""
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Flatten", ["m"], ["y"])],
        "colours",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = folder / name
    onnx.save(model, str(path))
    return path


def describe(folder: Path, model: Path, **changes: str) -> Path:
    fields = {
        "name": '"colours"',
        "file": f'"{model.name}"',
        "sha256": f'"{hashlib.sha256(model.read_bytes()).hexdigest()}"',
        "side": "32",
        "outputs": '["red", "green", "blue"]',
        "classes": '{ nudity = ["red"], gore = ["green", "blue"] }',
        **changes,
    }
    path = folder / "model.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in fields.items()))
    return path


def flat(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((50, 40, 3), colour, np.uint8)


def test_outputs_become_classes(tmp_path) -> None:
    classifier = load_classifier(choose(describe(tmp_path, save_model(tmp_path))))
    assert classifier.scores(flat((255, 0, 0))) == {"nudity": 1.0, "gore": 0.0}
    assert classifier.scores(flat((51, 51, 102))) == {"nudity": 0.2, "gore": 0.6}
    assert classifier.scores(flat((0, 255, 255))) == {"nudity": 0.0, "gore": 1.0}, "never above 1"


def test_logits_become_probabilities(tmp_path) -> None:
    classifier = load_classifier(choose(describe(tmp_path, save_model(tmp_path), softmax="true")))
    scores = classifier.scores(flat((7, 7, 7)))
    assert scores == {"nudity": pytest.approx(1 / 3, abs=1e-3), "gore": pytest.approx(2 / 3, abs=1e-3)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": '"' + "0" * 64 + '"'}, "SHA-256"),
        ({"file": '"none.onnx"'}, "No such file"),
        ({"classes": '{ nudity = ["pink"] }'}, "pink"),
        ({"classes": "{}"}, "classes"),
        ({"std": "[1.0, 0.0, 1.0]"}, "zero"),
        ({"sides": "32"}, "sides"),
        ({"layout": '"chw"'}, "layout"),
        ({"name": "[["}, "cannot be read"),
    ],
)
def test_a_faulty_description_is_told(tmp_path, changes, told) -> None:
    with pytest.raises(ClassifierError, match=told):
        choose(describe(tmp_path, save_model(tmp_path), **changes))


@pytest.mark.parametrize(
    "changes", [{"side": "64"}, {"layout": '"nhwc"'}, {"outputs": '["red", "green", "blue", "alpha"]'}]
)
def test_a_model_that_does_not_fit_its_description_is_told(tmp_path, changes) -> None:
    with pytest.raises(ClassifierError):
        load_classifier(choose(describe(tmp_path, save_model(tmp_path), **changes)))


def test_a_file_that_is_no_model_is_told(tmp_path) -> None:
    path = tmp_path / "red.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ClassifierError):
        load_classifier(choose(describe(tmp_path, path)))


def test_the_sandbox_asks_it_and_takes_the_highest_score_of_an_animation(tmp_path) -> None:
    choice = choose(describe(tmp_path, save_model(tmp_path)))
    path = tmp_path / "a.gif"
    frames = [Image.fromarray(flat(colour)) for colour in ((0, 0, 0), (255, 0, 0), (0, 0, 0))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    sandbox = Sandbox(Limits(), 1, choice)
    try:
        found = sandbox.examine(path, Asked("gif"))
    finally:
        sandbox.close()
    assert found.classifier == "colours"
    assert found.scores["nudity"] > 0.95
    assert found.scores["gore"] < 0.05
