from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.worker.media.signing import TYPES, picture
from tests.worker.media.test_c2pa_manifest import write_clip
from worker.media.image_metadata import Text, read_metadata, source_types

AI = TYPES + "trainedAlgorithmicMedia"
NAMES = (
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"'
)


def packet(inside: str = "", attributes: str = "", before: str = "") -> bytes:
    """An XMP packet as programs write it."""
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{before}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {NAMES} {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
        f'{" " * 200}<?xpacket end="w"?>'
    ).encode()


SOURCE = packet(f"<Iptc4xmpExt:DigitalSourceType>{AI}</Iptc4xmpExt:DigitalSourceType>")


def read(folder: Path, data: bytes, format: str = "jpeg") -> dict[str, str]:
    path = folder / "file"
    path.write_bytes(data)
    return dict(read_metadata(path, format))


def saved(format: str, **options: Any) -> bytes:
    return picture(format, **options)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    plain = picture()
    return plain[:2] + b"".join(segments) + plain[2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(*chunks: bytes, at_end: bool = False) -> bytes:
    plain = picture("png")
    at = len(plain) - 12 if at_end else 33
    return plain[:at] + b"".join(chunks) + plain[at:]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def with_xmp(format: str, data: bytes, folder: Path) -> bytes:
    """A file of each format with a packet in it."""
    match format:
        case "jpeg":
            return with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + data))
        case "png":
            return with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data), at_end=True)
        case "webp" | "avif":
            return saved(format, xmp=data)
        case "tiff":
            return saved(format, tiffinfo={700: data})
        case "mp4":
            write_clip(folder / "clip.mp4")
            uuid = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
            return (folder / "clip.mp4").read_bytes() + box(b"uuid", uuid + data)
        case "mov":
            return box(b"ftyp", b"qt  ") + box(b"moov", box(b"udta", box(b"XMP_", data)))
        case "gif":
            trailer = bytes(range(255, -1, -1))
            return picture("gif")[:-1] + b"!\xff\x0bXMP DataXMP" + data + b"\1" + trailer + b"\0;"
        case _:
            return (
                b"%PDF-1.7\n1 0 obj\n<</Type/Metadata/Subtype/XML>>\nstream\n" + data + b"\nendstream\n%%EOF"
            )


FORMATS = ("jpeg", "png", "webp", "avif", "tiff", "mp4", "mov", "gif", "pdf")


@pytest.mark.parametrize("format", FORMATS)
def test_the_source_type_is_read_from_every_format(tmp_path: Path, format: str) -> None:
    found = read(tmp_path, with_xmp(format, SOURCE, tmp_path), format)
    found.pop("mp4.tool", None)
    assert found == {"xmp.DigitalSourceType": AI}


@pytest.mark.parametrize(
    "data",
    [
        packet(attributes=f'Iptc4xmpExt:DigitalSourceType="{AI}"'),
        packet(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{AI}"/>'),
        packet(f"<Iptc4xmpExt:DigitalSourcefileType>{AI}</Iptc4xmpExt:DigitalSourcefileType>"),
        packet(
            "<Iptc4xmpExt:DigitalSourceType>\n digsrctype:trainedAlgorithmicMedia\n</Iptc4xmpExt:DigitalSourceType>"
        ),
        packet(
            "<Iptc4xmpExt:DigitalSourceType>https://cv.iptc.org/newscodes/digitalsourcetype/TrainedAlgorithmicMedia/"
            "</Iptc4xmpExt:DigitalSourceType>"
        ),
        packet(f"<Iptc4xmpExt:DigitalSourceType>{AI}</Iptc4xmpExt:DigitalSourceType>").partition(b"?>")[2]
        + b"\0\0",
    ],
    ids=range(6),
)
def test_all_ways_to_write_it_mean_the_same(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(with_xmp("jpeg", data, tmp_path))
    assert source_types(read_metadata(path, "jpeg")) == ("trainedAlgorithmicMedia",)


def test_other_words_are_no_source_type() -> None:
    for value in (
        "Jane Example, 5 Example Street",
        TYPES + "made up",
        "",
        "x" * 10_000,
        "http://cv.iptc.org/",
    ):
        assert source_types((Text("xmp.DigitalSourceType", value),)) == ()


def test_a_packet_s_other_properties_and_lists(tmp_path: Path) -> None:
    data = packet(
        "<photoshop:Credit>Made with Google AI</photoshop:Credit><dc:creator>Jane Example</dc:creator>"
        '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a cat &amp; a dog</rdf:li></rdf:Alt></dc:description>'
        '<TC260:AIGC>{"Label":"1"}</TC260:AIGC>',
        'xmp:CreatorTool="Adobe Photoshop 26.0 (Windows)"',
    )
    assert read(tmp_path, with_xmp("png", data, tmp_path), "png") == {
        "xmp.CreatorTool": "Adobe Photoshop 26.0 (Windows)",
        "xmp.Credit": "Made with Google AI",
        "xmp.description": "a cat & a dog",
        "xmp.AIGC": '{"Label":"1"}',
    }


def test_an_extended_packet_is_put_together(tmp_path: Path) -> None:
    filler = f"<dc:source>{'x' * 150_000}</dc:source>"
    whole = packet(f"{filler}<Iptc4xmpExt:DigitalSourceType>{AI}</Iptc4xmpExt:DigitalSourceType>")

    def piece(at: int, size: int = 60_000) -> bytes:
        head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", len(whole), at)
        return segment(0xE1, head + whole[at : at + size])

    pieces = [piece(at) for at in range(0, len(whole), 60_000)]
    expected = {"xmp.DigitalSourceType": AI}
    assert read(tmp_path, with_segments(*pieces)) == expected
    assert read(tmp_path, with_segments(*reversed(pieces))) == expected
    assert read(tmp_path, with_segments(*pieces[:-1])) == {}
    assert read(tmp_path, with_segments(piece(0), *pieces[2:])) == {}


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff", "avif"])
def test_exif_fields_are_read_and_personal_ones_are_not(tmp_path: Path, format: str) -> None:
    told = Image.Exif()
    told[305], told[271], told[272] = "AI generated;txt2img;flux", "Black Forest Labs", "flux-dev"
    told[270] = "a caption"
    told[315], told[33432] = "Jane Example", "(c) Jane Example"  # artist, copyright
    told.get_ifd(34853)[2] = (52.0, 30.0, 0.0)  # where it was taken
    told.get_ifd(34665)[42032] = "Jane Example"  # the camera's owner
    found = read(tmp_path, saved(format, exif=told), format)
    assert found == {
        "exif.ImageDescription": "a caption",
        "exif.Make": "Black Forest Labs",
        "exif.Model": "flux-dev",
        "exif.Software": "AI generated;txt2img;flux",
    }


@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + "Steps: 20, ¿quién?".encode("utf-16-be"),
        b"UNICODE\0" + "Steps: 20, ¿quién?".encode("utf-16-le"),
        b"ASCII\0\0\0" + "Steps: 20, ¿quién?".encode(),
        bytes(8) + "Steps: 20, ¿quién?".encode("latin-1"),
    ],
)
def test_user_comments_in_every_code(tmp_path: Path, comment: bytes) -> None:
    told = Image.Exif()
    told.get_ifd(34665)[37510] = comment
    assert read(tmp_path, saved("jpeg", exif=told))["exif.UserComment"] == "Steps: 20, ¿quién?"


def test_iptc_records_in_photoshop_s_resources(tmp_path: Path) -> None:
    def dataset(number: int, value: bytes) -> bytes:
        return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(value)) + value

    iim = dataset(80, b"Jane Example") + dataset(110, b"Made with Google AI") + dataset(65, b"Some program")
    other = b"8BIM\x04\x25\x00\x00" + struct.pack(">I", 3) + b"abc\0"
    named = b"8BIM\x04\x04\x03abc" + struct.pack(">I", len(iim)) + iim
    body = b"Photoshop 3.0\0" + other + named
    assert read(tmp_path, with_segments(segment(0xED, body))) == {
        "iptc.Credit": "Made with Google AI",
        "iptc.Program": "Some program",
    }


def test_png_texts_of_three_kinds(tmp_path: Path) -> None:
    told = PngInfo()
    told.add_text("parameters", "a cat\nSteps: 20")
    told.add_text("workflow", json.dumps({"nodes": []}), zip=True)
    told.add_itxt("Description", "eine Katze, süß", zip=True)
    told.add_text("Author", "Jane Example")
    assert read(tmp_path, saved("png", pnginfo=told), "png") == {
        "png.parameters": "a cat\nSteps: 20",
        "png.workflow": '{"nodes": []}',
        "png.Description": "eine Katze, süß",
    }


def test_tags_of_mp4_by_atom_and_by_key(tmp_path: Path) -> None:
    def value(text: str) -> bytes:
        return box(b"data", bytes([0, 0, 0, 1, 0, 0, 0, 0]) + text.encode())

    keys = b"".join(box(b"mdta", name) for name in (b"artist", b"AIGC", b"prompt"))
    items = (
        box(b"\xa9too", value("Lavf61")) + box(b"\xa9ART", value("Jane")) + box(b"\0\0\0\1", value("Jane"))
    )
    items += box(b"\0\0\0\2", value('{"Label": "1"}'))
    inside = (
        box(b"hdlr", bytes(25))
        + box(b"keys", struct.pack(">II", 0, 3) + keys)
        + box(b"ilst", b"".join([items]))
    )
    for meta in (box(b"meta", bytes(4) + inside), box(b"meta", inside)):
        for body in (box(b"udta", meta), meta):
            found = read(tmp_path, box(b"ftyp", b"isom") + box(b"moov", body), "mp4")
            assert found == {"mp4.tool": "Lavf61", "mp4.AIGC": '{"Label": "1"}'}


BOMB = (
    "<!DOCTYPE x ["
    + '<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
)


@pytest.mark.parametrize(
    "data",
    [
        packet("<dc:description>&j;</dc:description>" + SOURCE.decode()[300:340], before=BOMB + "]>"),
        packet(before='<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'),
        packet(
            "<dc:description>&e;</dc:description>",
            before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        ),
        SOURCE[:-400],
        b"<" * 100_000,
        packet("<a>" * 50_000),
        packet("<a/>" * 50_000),
        packet("<a " + " ".join(f"b{n}=''" for n in range(30_000)) + "/>"),
        SOURCE.replace(b"<?xpacket begin", b'<?xml version="1.0" encoding="made-up"?><?xpacket begin'),
        b"\xff\xfe" * 1000,
    ],
    ids=range(10),
)
def test_hostile_packets_give_nothing(tmp_path: Path, data: bytes) -> None:
    before = process_time()
    found = read(tmp_path, with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + data)), "png")
    assert "root:" not in str(found)
    assert "haha" not in str(found)
    assert set(found) <= {"xmp.DigitalSourceType"}
    assert process_time() - before < 2


def test_fifty_megabytes_of_packet_are_not_read(tmp_path: Path) -> None:
    large = packet(f"<dc:description>{'x' * 50_000_000}</dc:description>")
    before = process_time()
    for format in ("webp", "png", "mov", "gif"):
        if format == "webp":
            data = b"RIFF\0\0\0\0WEBP" + b"XMP " + struct.pack("<I", len(large)) + large
        else:
            data = with_xmp(format, large, tmp_path)
        assert read(tmp_path, data, format) == {}
    assert process_time() - before < 5


def test_text_that_was_compressed_a_thousandfold_is_not_read(tmp_path: Path) -> None:
    bomb = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(40_000_000), 9))
    before = process_time()
    assert read(tmp_path, with_chunks(*[bomb] * 100), "png") == {}
    assert process_time() - before < 2


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), format=st.sampled_from(FORMATS))
def test_damage_never_raises(tmp_path: Path, data: st.DataObject, format: str) -> None:
    if not (tmp_path / format).exists():
        (tmp_path / format).write_bytes(with_xmp(format, SOURCE, tmp_path))
    file = bytearray((tmp_path / format).read_bytes())
    near = file.find(b"x:xmpmeta")
    for _ in range(data.draw(st.integers(1, 5))):
        low = data.draw(st.sampled_from((0, max(0, near - 100))))
        at = min(len(file) - 1, low + data.draw(st.integers(0, 400)))
        match data.draw(st.sampled_from(("change", "cut", "drop"))):
            case "change":
                file[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
            case "cut":
                file = file[: at + 1]
            case _:
                del file[at : at + data.draw(st.integers(1, 30))]
        if len(file) < 2:
            return
    for read_as in (format, data.draw(st.sampled_from(FORMATS))):
        assert set(read(tmp_path, bytes(file), read_as)) <= {"xmp.DigitalSourceType", "mp4.tool"}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400), format=st.sampled_from((*FORMATS, "mkv", "")))
def test_any_bytes_are_read_without_an_error(tmp_path: Path, data: bytes, format: str) -> None:
    heads = {"jpeg": b"\xff\xd8\xff\xe1", "tiff": b"II*\0\x08\0\0\0", "avif": b"\0\0\0\x80meta\0\0\0\0"}
    assert read(tmp_path, heads.get(format, b"") + data, format) is not None


def test_pictures_without_metadata_have_none(tmp_path: Path) -> None:
    for format in ("jpeg", "png", "webp", "gif", "tiff", "avif"):
        assert read(tmp_path, picture(format), format) == {}
    assert read_metadata(tmp_path / "missing", "jpeg") == ()
