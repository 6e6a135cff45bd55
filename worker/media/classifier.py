"""An operator's own image classifiers, in ONNX; none comes with the program.

A TOML file beside the model says how pictures are fed to it and what its outputs mean (docs/media/classifier.md).
Pictures are read one at a time on one thread: a score depends on the picture alone, not on what else is in a batch.
"""

from __future__ import annotations

import hashlib
import io
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.base import Hex64

_MOST_BYTES: Final = 512 * 1024 * 1024
_JPEG_QUALITY: Final = 75  # Pillow's default, with which such models were taught

Channels = tuple[float, float, float]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Side = Annotated[int, Field(ge=16, le=1024)]


class ClassifierError(ValueError):
    """A model that cannot be used; the message says what is wrong with it."""


class ClassifierChoice(BaseModel):
    """A model and how it is used; plain data, as a TOML file holds it.

    A picture is squeezed to a square of `resize` pixels, saved as a JPEG and read again where `jpeg` says so, and cut
    to its middle `side` pixels; then `(value / divisor - mean) / std`, by channel in the order of `channels`.
    `classes` gives, for each class that policies read (`nudity`, `gore` …), the outputs whose scores are added up; no
    score is above `cap`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^+\s]+$")]
    file: Path  # beside the TOML file
    sha256: Hex64
    side: Side = 224  # pixels
    resize: Side | None = None  # None: as side, nothing is cut off
    jpeg: bool = False
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    divisor: Annotated[float, Field(gt=0)] = 255.0  # of the pixels' values 0..255
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    softmax: bool = False  # the model gives logits, of which one class is right
    sigmoid: bool = False  # the model gives logits, each class for itself
    outputs: Annotated[
        tuple[str, ...], Field(min_length=1, max_length=1_000)
    ]  # what the numbers are, in order
    classes: Annotated[dict[str, tuple[str, ...]], Field(min_length=1)]
    cap: Share = 1.0
    also: tuple[ClassifierChoice, ...] = ()  # models that are asked beside this one

    @model_validator(mode="after")
    def _coherent(self) -> ClassifierChoice:
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError("outputs names one twice")
        for name, parts in self.classes.items():
            unknown = set(parts) - set(self.outputs)
            if unknown or not parts:
                raise ValueError(f"class {name} is made of {', '.join(sorted(unknown)) or 'nothing'}")
        if not all(self.std):
            raise ValueError("std holds a zero")
        if self.softmax and self.sigmoid:
            raise ValueError("softmax and sigmoid exclude each other")
        if self.resize is not None and self.resize < self.side:
            raise ValueError("resize is smaller than side")
        if any(each.also for each in self.also):
            raise ValueError("a model that is asked beside another has none beside it")
        return self

    @property
    def full_name(self) -> str:
        """The names of all models, joined by `+`: what stands in the records."""
        return "+".join((self.name, *(each.name for each in self.also)))


def choose(path: Path) -> ClassifierChoice:
    """The model that a TOML file describes, with those that it names in `also`; their files found and checked.

    Raises:
        ClassifierError: a description cannot be read, or a model is not the one that it names.
    """
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClassifierError(f"{path}: cannot be read: {error}") from None
    named = described.get("also", [])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise ClassifierError(f"{path}: also: is no list of names of TOML files")
    others = [path.parent / each for each in named]
    if path.resolve() in {each.resolve() for each in others}:
        raise ClassifierError(f"{path}: also: names the file itself")
    described["also"] = [_described(each) for each in others]
    try:
        choice = ClassifierChoice.model_validate(described)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the description"
        raise ClassifierError(f"{path}: {place}: {first['msg']}") from None
    choice = choice.model_copy(update={"file": (path.parent / choice.file).resolve()})
    _check_classes(path, choice)
    _read(choice)
    return choice


def _described(path: Path) -> dict[str, Any]:
    """A model that is asked beside another, as plain data."""
    return choose(path).model_dump()


def _check_classes(path: Path, choice: ClassifierChoice) -> None:
    from worker.signals.observers.media import CLASSES

    read = {"nudity", "gore", *CLASSES}
    for name in choice.classes:
        if name not in read:
            raise ClassifierError(
                f"{path}: classes: no policy reads {name!r}; those read are {', '.join(sorted(read))}"
            )


def _read(choice: ClassifierChoice) -> bytes:
    """The model's bytes, which are those that the description names."""
    try:
        if choice.file.stat().st_size > _MOST_BYTES:
            raise ClassifierError(f"{choice.file}: is larger than {_MOST_BYTES // (1024 * 1024)} MiB")
        content = choice.file.read_bytes()
    except OSError as error:
        raise ClassifierError(f"{choice.file}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != choice.sha256.lower():
        raise ClassifierError(f"{choice.file}: its SHA-256 is {found}, not {choice.sha256}")
    return content


class Classifier:
    """One model or several that are loaded; used by one thread. `choice` is the description of the first."""

    def __init__(self, choice: ClassifierChoice, models: Sequence[_Model]) -> None:
        self.choice = choice
        self._models = tuple(models)

    @property
    def name(self) -> str:
        """The names of all models, joined by `+`."""
        return self.choice.full_name

    def scores(self, rgb: NDArray[np.uint8]) -> dict[str, float]:
        """The score of each class, 0..1 with four decimals, of a picture (height x width x 3).

        The same picture has the same scores each time; where two models know a class, the higher counts.

        Raises:
            ClassifierError: a model gave something else than numbers.
        """
        found: dict[str, float] = {}
        for model in self._models:
            for name, score in model.scores(rgb).items():
                found[name] = max(score, found.get(name, 0.0))
        return found


def load_classifier(choice: ClassifierChoice) -> Classifier:
    """The models, ready to be asked, and each asked once.

    Raises:
        ClassifierError: one cannot be loaded, is another than described, or does not take and give what its
            description says.
    """
    return Classifier(choice, [_Model(each) for each in (choice, *choice.also)])


class _Model:
    """One model in ONNX Runtime."""

    def __init__(self, choice: ClassifierChoice) -> None:
        from worker.learned.runtime import open_session

        self._choice = choice
        # From bytes: those that were checked, and the runtime then refuses weights that lie in other files. Operators
        # that are not the runtime's own are unknown to it, as nothing registers any.
        content = _read(choice)
        try:
            # Without an arena: what it took would stay taken, and the sandbox counts it.
            self._session = open_session(content, keep_memory=False)
        except Exception as error:  # noqa: BLE001  # the runtime has exceptions of its own for all that can be wrong
            raise ClassifierError(f"{choice.file}: {_first_line(error)}") from None
        self._input = self._only_input()
        self._output: str = self._session.get_outputs()[0].name
        try:
            self.scores(np.zeros((choice.side, choice.side, 3), np.uint8))
        except ClassifierError as error:
            raise ClassifierError(f"{choice.file}: {error}") from None
        except Exception as error:  # noqa: BLE001  # as above
            raise ClassifierError(f"{choice.file}: {_first_line(error)}") from None

    def scores(self, rgb: NDArray[np.uint8]) -> dict[str, float]:
        choice = self._choice
        (given,) = self._session.run([self._output], {self._input: self._pixels(rgb)[None]})
        values: NDArray[np.float64] = np.asarray(given, np.float64).reshape(-1)
        if len(values) != len(choice.outputs):
            raise ClassifierError(f"gives {len(values)} numbers, and outputs names {len(choice.outputs)}")
        if not np.isfinite(values).all():
            raise ClassifierError("gives something that is no number")
        if choice.softmax:
            powers = np.exp(values - values.max())
            values = powers / powers.sum()
        elif choice.sigmoid:
            values = 1.0 / (1.0 + np.exp(-np.clip(values, -60.0, 60.0)))
        named = dict(zip(choice.outputs, values.tolist(), strict=True))
        return {
            name: round(min(choice.cap, max(0.0, sum(named[part] for part in parts))), 4)
            for name, parts in choice.classes.items()
        }

    def _pixels(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        choice = self._choice
        whole = choice.resize or choice.side
        small = Image.fromarray(rgb).resize((whole, whole), Image.Resampling.BILINEAR)
        if choice.jpeg:
            saved = io.BytesIO()
            small.save(saved, "JPEG", quality=_JPEG_QUALITY)
            small = Image.open(saved, formats=("JPEG",))
        cut = (whole - choice.side) // 2
        pixels = np.asarray(small, np.float32)[cut : cut + choice.side, cut : cut + choice.side]
        if choice.channels == "bgr":
            pixels = pixels[:, :, ::-1]
        mean, std = np.asarray(choice.mean, np.float32), np.asarray(choice.std, np.float32)
        pixels = (pixels / np.float32(choice.divisor) - mean) / std
        return np.ascontiguousarray(pixels.transpose(2, 0, 1) if choice.layout == "nchw" else pixels)

    def _only_input(self) -> str:
        choice, inputs = self._choice, self._session.get_inputs()
        if len(inputs) != 1:
            raise ClassifierError(f"{choice.file}: takes {len(inputs)} inputs, not one")
        side = choice.side
        wanted = (1, 3, side, side) if choice.layout == "nchw" else (1, side, side, 3)
        shape = tuple(inputs[0].shape)
        # A dimension that is not fixed has a name or none.
        fits = len(shape) == 4 and all(
            not isinstance(has, int) or has == want for has, want in zip(shape, wanted, strict=False)
        )
        if not fits or inputs[0].type != "tensor(float)":
            raise ClassifierError(
                f"{choice.file}: takes a {inputs[0].type} of {list(shape)}, not a tensor(float) of {list(wanted)}"
            )
        return str(inputs[0].name)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
