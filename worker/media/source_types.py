"""Terms of the IPTC's digital source types, and what each says about generative models.

Source: https://cv.iptc.org/newscodes/digitalsourcetype/ (release of 2024-10-23) and, for the C2PA's own two terms,
https://spec.c2pa.org/specifications/specifications/2.2/specs/C2PA_Specification.html, both read 2026-11-24.
"""

from __future__ import annotations

from typing import Final

TRAINED: Final = "trainedAlgorithmicMedia"
COMPOSITE_TRAINED: Final = "compositeWithTrainedAlgorithmicMedia"

# Made, wholly or in part, by a model that was trained on other people's pictures.
GENERATED: Final = frozenset((TRAINED, COMPOSITE_TRAINED, "trainedAlgorithmicData"))

# Taken from life, or made or changed by a person or a program without a generative model.
NOT_GENERATED: Final = frozenset(
    (
        "digitalCapture",
        "computationalCapture",
        "negativeFilm",
        "positiveFilm",
        "print",
        "humanEdits",
        "minorHumanEdits",  # retired
        "compositeCapture",
        "algorithmicallyEnhanced",  # noise removed, sharpened, enlarged: enhancement is no generation
        "digitalCreation",
        "digitalArt",  # retired
    )
)

# Neither: what they show may be synthetic without any model (`algorithmicMedia`: fractals, procedural scenes), or
# anything at all (a picture of a screen). Nobody should read "not generated" as "real" there.
OPEN: Final = frozenset(
    (
        "algorithmicMedia",
        "dataDrivenMedia",
        "screenCapture",
        "virtualRecording",
        "composite",
        "compositeSynthetic",
        "softwareImage",  # retired
        "empty",
    )
)

_TERMS: Final = {term.lower(): term for term in GENERATED | NOT_GENERATED | OPEN}
_SCHEMES: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/",
    "https://cv.iptc.org/newscodes/digitalsourcetype/",
    "http://c2pa.org/digitalsourcetype/",
    "https://c2pa.org/digitalsourcetype/",
    "digsrctype:",
)
_LONGEST: Final = 200


def source_term(value: object) -> str | None:
    """The term that a URL, a QCode (`digsrctype:…`) or a bare term stands for, or None for anything else.

    Only terms of the list come back, so that no text of a file travels on under this name.
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = value.strip().rstrip("/")
    for scheme in _SCHEMES:
        if text[: len(scheme)].lower() == scheme:
            text = text[len(scheme) :]
            break
    return _TERMS.get(text.lower())


def is_generated(term: str | None) -> bool | None:
    """Whether a term says that a generative model made it; None where it leaves that open."""
    if term in GENERATED:
        return True
    return False if term in NOT_GENERATED else None
