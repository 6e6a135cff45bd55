from __future__ import annotations

import socket
import wave
from pathlib import Path
from typing import Any

import c2pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.media.pictures import clip
from tests.worker.media.signing import (
    MIME,
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
    sign_expired,
)
from worker.media.c2pa_manifest import Manifest, check_trust, judge_report, read_manifest


@pytest.fixture
def trust(tmp_path: Path) -> str:
    path = tmp_path / "trust.pem"
    path.write_bytes(authority().pem)
    return str(path)


def read(folder: Path, data: bytes, format: str = "jpeg", trust: str | None = None) -> Manifest | None:
    path = folder / "file"
    path.write_bytes(data)
    return read_manifest(path, format, trust)


def pixel(plain: bytes, signed: bytes) -> int:
    """Where a byte of the picture itself lies in the signed file."""
    middle = len(plain) * 3 // 4
    return signed.index(plain[middle : middle + 24]) + 12


@pytest.mark.parametrize("format", MIME)
def test_a_signed_picture_is_trusted_valid_tampered_or_bare(tmp_path: Path, trust: str, format: str) -> None:
    plain = picture(format)
    signed = sign(camera(), plain, MIME[format])
    assert read(tmp_path, signed, format, trust) == Manifest(
        "trusted", (), False, "digitalCapture", "Test Camera", (), "Test Cameras"
    )
    assert read(tmp_path, signed, format) == Manifest(
        "valid", (), False, "digitalCapture", "Test Camera", (), "Test Cameras"
    )
    changed = read(tmp_path, flip(signed, pixel(plain, signed)), format, trust)
    hashes = "assertion.bmffHash.mismatch" if format == "avif" else "assertion.dataHash.mismatch"
    assert changed == Manifest("invalid", (hashes,))
    claim = signed.index(b"digitalCapture")
    assert read(tmp_path, flip(signed, claim), format, trust) == Manifest(
        "invalid", ("assertion.hashedURI.mismatch",)
    )
    assert read(tmp_path, plain, format, trust) is None


def test_video_and_sound_are_read_too(tmp_path: Path, trust: str) -> None:
    video = tmp_path / "clip.mp4"
    write_clip(video)
    signed = sign(generated(), video.read_bytes(), "video/mp4")
    found = read(tmp_path, signed, "mp4", trust)
    assert found is not None
    assert (found.state, found.ai_generated, found.source_type) == (
        "trusted",
        True,
        "trainedAlgorithmicMedia",
    )
    assert read(tmp_path, video.read_bytes(), "mp4") is None
    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(range(256)) * 40)
    tone = (tmp_path / "tone.wav").read_bytes()
    spoken = read(tmp_path, sign(generated(), tone, "audio/wav"), "wav", trust)
    assert spoken is not None
    assert spoken.ai_generated is True
    assert read(tmp_path, b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF", "pdf") is None
    assert read(tmp_path, sign(camera()), "mkv") is None  # a format that holds none


def write_clip(path: Path) -> None:
    import cv2

    frames = list(clip(1))[:8]
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 8.0, (width, height))
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()


def test_a_manifest_on_another_picture_speaks_for_neither(tmp_path: Path, trust: str) -> None:
    mine, other = picture(seed=1), picture(seed=2)
    signed = sign(camera(), mine)
    start = signed.index(b"\xff\xeb")
    size = len(signed) - len(mine)
    pasted = other[:20] + signed[start : start + size] + other[20:]
    assert pasted.count(b"c2pa.signature") == signed.count(b"c2pa.signature")
    found = read(tmp_path, pasted, trust=trust)
    assert found == Manifest("invalid", ("assertion.dataHash.mismatch",))


def test_an_expired_certificate_is_told_and_vouches_for_no_camera(tmp_path: Path, trust: str) -> None:
    found = read(tmp_path, sign_expired(camera()), trust=trust)
    assert found is not None
    assert (found.state, found.failures) == ("expired", ("signingCredential.expired",))
    assert (found.ai_generated, found.source_type) == (None, "digitalCapture")
    confessed = read(tmp_path, sign_expired(generated()), trust=trust)
    assert confessed is not None
    assert confessed.ai_generated is True


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("trainedAlgorithmicMedia", True),
        ("compositeWithTrainedAlgorithmicMedia", True),
        ("http://c2pa.org/digitalsourcetype/trainedAlgorithmicData", True),
        ("https://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia", True),
        ("algorithmicMedia", None),
        ("compositeSynthetic", None),
        ("screenCapture", None),
        ("digitalCapture", False),
        ("computationalCapture", False),
        ("humanEdits", False),
        ("algorithmicallyEnhanced", False),
        ("http://example.com/newscodes/digitalsourcetype/trainedAlgorithmicMedia", None),
    ],
)
def test_source_types_say_generated_not_generated_or_neither(
    tmp_path: Path, source: str, expected: bool | None
) -> None:
    found = read(tmp_path, sign(manifest(action("created", source))))
    assert found is not None
    assert found.state == "valid"
    assert found.ai_generated is expected
    if "example.com" not in source:
        assert found.source_type == source.rpartition("/")[2]


def test_generative_fill_makes_a_photograph_a_composite(tmp_path: Path, trust: str) -> None:
    photo = sign(camera())
    parent = ({"title": "photo", "relationship": "parentOf", "instance_id": "p"}, photo)
    opened = action("opened", parameters={"ingredientIds": ["p"]})
    fill = action("edited", "compositeWithTrainedAlgorithmicMedia", softwareAgent={"name": "Adobe Firefly 3"})
    filled = read(
        tmp_path, sign(manifest(opened, fill, program="Editor"), photo, ingredients=(parent,)), trust=trust
    )
    assert filled is not None
    assert (filled.state, filled.ai_generated) == ("trusted", True)
    assert filled.source_type == "compositeWithTrainedAlgorithmicMedia"
    assert filled.agents == ("Adobe Firefly 3",)
    plain_edit = manifest(opened, action("color_adjustments"), program="Editor")
    edited = read(tmp_path, sign(plain_edit, photo, ingredients=(parent,)), trust=trust)
    assert edited is not None
    assert (edited.ai_generated, edited.source_type) == (False, "digitalCapture")


def test_a_trusted_editor_does_not_make_a_strangers_camera_trusted(tmp_path: Path, trust: str) -> None:
    stranger = sign(camera(), by=credential("Somebody", "Famous Cameras"))
    parent = ({"title": "photo", "relationship": "parentOf", "instance_id": "p"}, stranger)
    opened = manifest(action("opened", parameters={"ingredientIds": ["p"]}), program="Editor")
    found = read(tmp_path, sign(opened, stranger, ingredients=(parent,)), trust=trust)
    assert found is not None
    assert found.ai_generated is None
    both = tmp_path / "both.pem"
    both.write_bytes(authority().pem + authority("Somebody").pem)
    known = read(tmp_path, sign(opened, stranger, ingredients=(parent,)), trust=str(both))
    assert known is not None
    assert (known.state, known.ai_generated) == ("trusted", False)


@pytest.mark.parametrize(
    ("relation", "done", "expected"),
    [
        ("parentOf", "opened", (True, "trainedAlgorithmicMedia")),
        ("componentOf", "placed", (True, "compositeWithTrainedAlgorithmicMedia")),
        ("inputTo", "edited", (False, "digitalCapture")),
    ],
)
def test_a_generated_ingredient_counts_where_it_is_in_the_picture(
    tmp_path: Path, relation: str, done: str, expected: tuple[bool, str]
) -> None:
    part = ({"title": "part", "relationship": relation, "instance_id": "i"}, sign(generated()))
    made = [] if relation == "parentOf" else [action("created", "digitalCapture")]
    told = manifest(*made, action(done, parameters={"ingredientIds": ["i"]}), program="Editor")
    found = read(tmp_path, sign(told, ingredients=(part,)))
    assert found is not None
    assert found.state == "valid"
    assert (found.ai_generated, found.source_type) == expected


def test_a_part_of_unknown_origin_leaves_the_whole_open(tmp_path: Path, trust: str) -> None:
    part = ({"title": "part", "relationship": "componentOf", "instance_id": "i"}, picture(seed=3))
    told = manifest(
        action("created", "digitalCapture"), action("placed", parameters={"ingredientIds": ["i"]})
    )
    found = read(tmp_path, sign(told, ingredients=(part,)), trust=trust)
    assert found is not None
    assert (found.state, found.ai_generated) == ("trusted", None)


def test_a_manifest_that_breaks_the_rules_is_not_called_tampered(tmp_path: Path, trust: str) -> None:
    found = read(
        tmp_path, sign(manifest(action("created"))), trust=trust
    )  # without the source type it must have
    assert found == Manifest("unreadable", ("assertion.action.malformed",))


def test_fireflys_first_manifests_are_known(tmp_path: Path) -> None:
    label = {
        "label": "com.adobe.generative-ai",
        "data": {"description": "Adobe Firefly", "version": "1", "prompt": "x"},
    }
    found = read(tmp_path, sign(manifest(action("created", "digitalCreation"), assertions=[label])))
    assert found is not None
    assert (found.ai_generated, found.agents) == (True, ("Adobe Firefly",))


def test_rights_to_train_on_it_say_nothing_about_how_it_was_made(tmp_path: Path) -> None:
    rights = {
        "label": "cawg.training-mining",
        "data": {"entries": {"cawg.ai_generative_training": {"use": "notAllowed"}}},
    }
    told = manifest(action("created", "digitalCapture"), assertions=[rights])
    found = read(tmp_path, sign(told))
    assert found is not None
    assert found.ai_generated is False


def test_a_person_s_name_in_a_stranger_s_certificate_is_not_copied(tmp_path: Path) -> None:
    own = authority("Somebody").issue(organisation=None, common_name="Jane Q. Example")
    path = tmp_path / "somebody.pem"
    path.write_bytes(authority("Somebody").pem)
    signed = sign(camera(), by=own)
    stranger, vouched = read(tmp_path, signed), read(tmp_path, signed, trust=str(path))
    assert stranger is not None
    assert stranger.signer is None
    assert vouched is not None
    assert vouched.signer == "Jane Q. Example"


def test_names_are_cut_and_hold_nothing_invisible(tmp_path: Path) -> None:
    told = manifest(action("created", "digitalCapture"), program="Cam\u202e\n" + "x" * 500)
    found = read(tmp_path, sign(told))
    assert found is not None
    assert found.generator is not None
    assert found.generator.startswith("Cam x")
    assert len(found.generator) == 100


def test_a_changed_trust_list_is_used_at_once_and_a_bad_one_trusts_nobody(tmp_path: Path, trust: str) -> None:
    signed = sign(camera())
    states = []
    for content in (authority("Somebody").pem, authority().pem, b"no certificate", authority().pem * 2):
        Path(trust).write_bytes(content)
        found = read(tmp_path, signed, trust=trust)
        states.append(found.state if found is not None else None)
    assert states == ["valid", "trusted", "valid", "trusted"]
    found = read(tmp_path, signed, trust=str(tmp_path / "missing.pem"))
    assert found is not None
    assert found.state == "valid"


def test_an_operator_hears_of_a_bad_trust_list(tmp_path: Path, trust: str) -> None:
    check_trust(trust)
    (tmp_path / "bad.pem").write_bytes(b"no certificate")
    (tmp_path / "large.pem").write_bytes(b"x" * (4 * 1024 * 1024 + 1))
    for name in ("missing.pem", "bad.pem", "large.pem"):
        with pytest.raises(ValueError, match="trust list"):
            check_trust(str(tmp_path / name))


def test_nothing_is_fetched(tmp_path: Path, trust: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa"
        pointer = sign(camera(), embed=False, remote=address)
        embedded = sign(camera(), remote=address)
        assert address.encode() in pointer
        assert read(tmp_path, pointer, trust=trust) is None
        found = read(tmp_path, embedded, trust=trust)
        assert found is not None
        assert found.state == "trusted"
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_library_would_fetch_if_it_were_let(tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        path = tmp_path / "pointer.jpg"
        address = f"http://127.0.0.1:{server.getsockname()[1]}/m"
        path.write_bytes(sign(camera(), embed=False, remote=address))
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(100))
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with path.open("rb") as file, pytest.raises(c2pa.C2paError):
            c2pa.Reader("image/jpeg", file, context=c2pa.Context.from_dict({}))
        thread.join(10)
        assert asked[0].startswith(b"GET /m ")


SIGNED = sign(camera())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_raises_or_is_believed(tmp_path: Path, data: st.DataObject) -> None:
    file = bytearray(SIGNED)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(file) - 1))
        match data.draw(st.sampled_from(("flip", "cut", "drop", "add"))):
            case "flip":
                file[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                file = file[: max(at, 1)]
            case "drop":
                del file[at : at + data.draw(st.integers(1, 40))]
            case _:
                file[at:at] = data.draw(st.binary(min_size=1, max_size=40))
        if not file:
            return
    for format in ("jpeg", "png", "mp4", "pdf"):
        found = read(tmp_path, bytes(file), format)
        if found is not None and found.state in {"trusted", "valid"}:
            assert found == Manifest("valid", (), False, "digitalCapture", "Test Camera", (), "Test Cameras")


def report(**more: Any) -> dict[str, Any]:
    told = {
        "active_manifest": "a",
        "manifests": {"a": {"assertions": [], "claim_generator": "Old_Camera/1.0 sdk/2"}},
        "validation_state": "Valid",
        **more,
    }
    return told


def failing(*codes: str, state: str = "Invalid") -> dict[str, Any]:
    entries = [{"code": code, "url": "x"} for code in codes]
    return report(
        validation_state=state, validation_results={"activeManifest": {"success": [], "failure": entries}}
    )


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (("signingCredential.ocsp.revoked", "signingCredential.untrusted"), "revoked"),
        (("signingCredential.expired", "signingCredential.ocsp.revoked"), "revoked"),
        (("claimSignature.outsideValidity",), "expired"),
        (("signingCredential.expired", "assertion.dataHash.mismatch"), "invalid"),
        (("claimSignature.mismatch",), "invalid"),
        (("assertion.cbor.invalid",), "unreadable"),
        ((), "unreadable"),
    ],
)
def test_failures_make_the_state(codes: tuple[str, ...], state: str) -> None:
    found = judge_report(failing(*codes))
    assert found is not None
    assert found.state == state
    assert found.failures == tuple(code for code in codes if code != "signingCredential.untrusted")


def test_old_claims_name_their_program_too() -> None:
    found = judge_report(report())
    assert found is not None
    assert found.generator == "Old Camera"


def test_ingredients_that_contain_each_other_end(tmp_path: Path) -> None:
    def made(of: str) -> dict[str, Any]:
        return {"ingredients": [{"relationship": "parentOf", "active_manifest": of}] * 3, "assertions": []}

    found = judge_report(report(manifests={"a": made("b"), "b": made("a")}))
    assert found is not None
    assert found.ai_generated is None
    chain = {name: made(chr(ord(name) + 1)) for name in map(chr, range(ord("a"), ord("z")))}
    assert judge_report(report(manifests=chain)) is not None


def test_one_generated_manifest_among_shared_ones_is_found() -> None:
    data = {"actions": [{"action": "c2pa.created", "digitalSourceType": TYPES + "trainedAlgorithmicMedia"}]}
    leaf = {"assertions": [{"label": "c2pa.actions.v2__1", "data": data}]}
    whole = {"ingredients": [{"relationship": "componentOf", "active_manifest": "b"}], "assertions": []}
    found = judge_report(report(manifests={"a": whole, "b": leaf}))
    assert found is not None
    assert found.ai_generated is True


WORDS = st.sampled_from(
    [
        *("active_manifest", "manifests", "a", "ingredients", "assertions", "c2pa.actions", "label", "data"),
        *("actions", "digitalSourceType", "relationship", "parentOf", "validation_results", "activeManifest"),
        *("failure", "code", "claim_generator_info", "name", "signature_info", "issuer", "softwareAgent"),
        "validation_state",
    ]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


@given(tree=TREES, base=st.booleans())
def test_any_report_is_read_without_an_error(tree: Any, base: bool) -> None:
    told = report(manifests={"a": tree}) if base else tree
    found = judge_report(told)
    assert found is None or isinstance(found, Manifest)
