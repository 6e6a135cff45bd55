from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from schemas.posts import Provenance
from tests.worker.media.signing import (
    TYPES,
    action,
    authority,
    camera,
    credential,
    flip,
    generated,
    manifest,
    picture,
    sign,
)
from tests.worker.media.test_generators import WEB_UI
from tests.worker.media.test_image_metadata import SOURCE, packet
from worker.media.c2pa_manifest import Manifest
from worker.media.image_metadata import Text
from worker.media.item import Limits
from worker.media.provenance import combine, read_provenance
from worker.media.source_types import GENERATED, NOT_GENERATED, OPEN, source_term


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    path = tmp_path / "trust.pem"
    path.write_bytes(authority().pem)
    return Limits(c2pa_trust=str(path))


def read(folder: Path, data: bytes, limits: Limits, format: str = "jpeg") -> Provenance | None:
    path = folder / "file"
    path.write_bytes(data)
    return read_provenance(path, format, limits)


def drawn(text: str = WEB_UI) -> bytes:
    told = PngInfo()
    told.add_text("parameters", text)
    return picture("png", pnginfo=told)


def test_a_picture_without_anything_has_no_provenance(tmp_path: Path, limits: Limits) -> None:
    told = Image.Exif()
    told[271], told[272], told[305] = "Canon", "EOS R5", "Adobe Photoshop 26.1 (Windows)"
    told[315] = "Jane Example"
    assert read(tmp_path, picture(exif=told), limits) is None
    assert read(tmp_path, b"", limits) is None
    assert read_provenance(tmp_path / "missing", "jpeg", limits) is None


def test_a_camera_and_a_generator_with_manifests(tmp_path: Path, limits: Limits) -> None:
    assert read(tmp_path, sign(camera()), limits) == Provenance(
        c2pa="trusted",
        ai_generated=False,
        digital_source_type="digitalCapture",
        generator="Test Camera",
        signer="Test Cameras",
    )
    assert read(tmp_path, sign(generated()), Limits()) == Provenance(
        c2pa="valid",
        ai_generated=True,
        digital_source_type="trainedAlgorithmicMedia",
        generator="Adobe Firefly",
        signer="Test Cameras",
    )


def test_a_tampered_camera_manifest_does_not_speak_for_the_picture(tmp_path: Path, limits: Limits) -> None:
    signed = sign(camera())
    assert read(tmp_path, flip(signed, len(signed) - 400), limits) == Provenance(
        c2pa="invalid", c2pa_failures=("assertion.dataHash.mismatch",)
    )


def test_a_stripped_manifest_leaves_what_the_metadata_say(tmp_path: Path, limits: Limits) -> None:
    assert read(tmp_path, picture("webp", xmp=SOURCE), limits, "webp") == Provenance(
        ai_generated=True, digital_source_type="trainedAlgorithmicMedia"
    )
    assert read(tmp_path, drawn(), limits, "png") == Provenance(
        ai_generated=True,
        digital_source_type="trainedAlgorithmicMedia",
        generator="Stable Diffusion web UI",
    )


def test_a_stranger_s_camera_is_not_believed_against_the_generator_s_own_metadata(
    tmp_path: Path, limits: Limits
) -> None:
    forged = sign(camera(), drawn(), "image/png", by=credential("Somebody"))
    assert read(tmp_path, forged, limits, "png") == Provenance(
        c2pa="valid",
        ai_generated=True,
        digital_source_type="trainedAlgorithmicMedia",
        generator="Stable Diffusion web UI",
        signer="Test Cameras",
    )
    vouched = read(tmp_path, sign(camera(), drawn(), "image/png"), limits, "png")
    assert vouched is not None
    assert (vouched.c2pa, vouched.ai_generated) == ("trusted", False)


def test_metadata_alone_never_say_that_it_is_a_photograph(tmp_path: Path, limits: Limits) -> None:
    written = packet(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TYPES}digitalCapture"/>')
    assert read(tmp_path, picture("webp", xmp=written), limits, "webp") == Provenance(
        digital_source_type="digitalCapture"
    )


def test_the_iptc_s_word_comes_before_signs_and_a_later_edit_is_named(tmp_path: Path, limits: Limits) -> None:
    credit = "<photoshop:Credit>Made with Google AI</photoshop:Credit>"
    edited = packet(credit, f'Iptc4xmpExt:DigitalSourceType="{TYPES}compositeWithTrainedAlgorithmicMedia"')
    assert read(tmp_path, picture("webp", xmp=edited), limits, "webp") == Provenance(
        ai_generated=True,
        digital_source_type="compositeWithTrainedAlgorithmicMedia",
        generator="Google AI",
    )


def test_a_manifest_that_is_silent_leaves_the_word_to_the_metadata(tmp_path: Path, limits: Limits) -> None:
    silent = sign(manifest(action("created", "screenCapture"), program="Editor"), drawn(), "image/png")
    found = read(tmp_path, silent, limits, "png")
    assert found is not None
    assert (found.c2pa, found.ai_generated, found.generator) == ("trusted", True, "Stable Diffusion web UI")


@pytest.mark.parametrize("term", ["algorithmicallyEnhanced", "computationalCapture", "humanEdits"])
def test_enhancement_is_no_generation(tmp_path: Path, limits: Limits, term: str) -> None:
    enhanced = manifest(action("created", "digitalCapture"), action("edited", term), program="Enhancer AI 2")
    found = read(tmp_path, sign(enhanced), limits)
    assert found is not None
    assert found.ai_generated is False
    told = Image.Exif()
    told[305] = "Topaz Photo AI 3.2"
    assert read(tmp_path, picture(exif=told), limits) is None


def test_a_named_ai_system_is_a_confession_whose_words_are_not_copied() -> None:
    assert combine(None, (Text("xmp.AISystemUsed", "ChatGPT (GPT-4o), for Jane Example"),)) == Provenance(
        ai_generated=True, digital_source_type="trainedAlgorithmicMedia", generator="OpenAI"
    )
    unknown = combine(None, (Text("xmp.AISystemUsed", "Jane Example's own model"),))
    assert unknown is not None
    assert unknown.generator is None


def test_terms_are_sorted_once_and_written_as_the_iptc_writes_them() -> None:
    assert not GENERATED & NOT_GENERATED
    assert not (GENERATED | NOT_GENERATED) & OPEN
    for term in GENERATED | NOT_GENERATED | OPEN:
        for written in (term, TYPES + term, f"digsrctype:{term}", term.upper(), f" {TYPES}{term}/ "):
            assert source_term(written) == term
    for other in (
        None,
        5,
        [],
        "",
        "capture",
        TYPES,
        "x" * 1000,
        f"http://example.com/{next(iter(GENERATED))}",
    ):
        assert source_term(other) is None


STATES = st.sampled_from(["trusted", "valid", "expired", "revoked", "invalid", "unreadable"])
TEXTS = st.lists(
    st.sampled_from(
        [
            Text("xmp.DigitalSourceType", TYPES + "trainedAlgorithmicMedia"),
            Text("xmp.DigitalSourceType", TYPES + "digitalCapture"),
            Text("xmp.Credit", "Made with Google AI"),
            Text("png.parameters", WEB_UI),
            Text("exif.Software", "Adobe Photoshop"),
        ]
    ),
    max_size=3,
)


@given(state=STATES, says=st.sampled_from([True, False, None]), texts=TEXTS)
def test_who_is_believed(state: str, says: bool | None, texts: list[Text]) -> None:
    found = combine(Manifest(state, (), says, None, "Program", (), "Signer"), tuple(texts))  # type: ignore[arg-type]
    assert found is not None
    assert found.c2pa == state
    confessed = any(text.field != "exif.Software" and not text.value.endswith("Capture") for text in texts)
    speaks = state in {"trusted", "valid", "expired"}
    if state == "trusted" and says is not None:
        assert found.ai_generated is says
    elif confessed or (speaks and says):
        assert found.ai_generated is True
    elif found.ai_generated is False:
        assert says is False
        assert speaks
