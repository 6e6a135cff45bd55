from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.media.films import section, splice, splice_insert, time_signal
from worker.media.scte35 import AD_STARTS, TICKS, WRAP, Scte35Error, Segmentation, crc32_mpeg2, parse

# ANSI/SCTE 35, chapter 14: the standard's own sample messages.
PUBLISHED = {
    "time_signal, placement opportunity start": (
        "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg==",
        (0x072BD0050,),
        (Segmentation(0x4800008E, False, 0x34, 0x0001A599B0),),
        True,
    ),
    "splice_insert": (
        "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=",
        (0x07369C02E,),
        (),
        True,
    ),
    "time_signal, placement opportunity end": (
        "/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g=",
        (0x0746290A0,),
        (Segmentation(0x4800008E, False, 0x35, None),),
        False,
    ),
    "time_signal, programme end and start": (
        "/DBIAAAAAAAA///wBQb+ek2ItgAyAhdDVUVJSAAAGH+fCAgAAAAALMvDRBEAAAIXQ1VFSUgAABl/nwgIAAAAACyk26AQAACZcuND",
        (0x07A4D88B6,),
        (Segmentation(0x48000018, False, 0x11, None), Segmentation(0x48000019, False, 0x10, None)),
        False,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_messages_are_read(name: str) -> None:
    text, times, segmentations, begins = PUBLISHED[name]
    info = parse(base64.b64decode(text))
    assert info.times == times
    assert info.segmentations == segmentations
    assert info.begins_advertisement is begins
    assert not info.encrypted


def test_a_splice_insert_says_how_long_its_break_lasts() -> None:
    info = parse(base64.b64decode(PUBLISHED["splice_insert"][0]))
    assert info.out_of_network
    assert info.ticks == 0x00052CCF5


def test_one_that_returns_to_the_programme_begins_no_advertisement() -> None:
    assert not parse(splice_insert(5, out=False)).begins_advertisement
    assert parse(splice_insert(None)).times == ()
    assert parse(splice_insert(None)).begins_advertisement


@pytest.mark.parametrize("type_id", range(0x00, 0x60))
def test_only_segmentations_of_advertisements_count(type_id: int) -> None:
    assert parse(time_signal(1, type_id)).begins_advertisement is (type_id in AD_STARTS)


def test_times_are_adjusted_and_begin_again_at_zero() -> None:
    assert parse(splice_insert(10, adjustment=3 * TICKS)).times == (13 * TICKS,)
    assert parse(splice_insert(10, adjustment=WRAP - 4 * TICKS)).times == (6 * TICKS,)


def test_a_cancelled_event_begins_nothing() -> None:
    cancelled = splice(0x05, (7).to_bytes(4) + b"\xff", b"")
    assert not parse(cancelled).begins_advertisement
    descriptor = b"CUEI" + (9).to_bytes(4) + b"\xff"
    info = parse(splice(0x06, b"\x7f", bytes((2, len(descriptor))) + descriptor))
    assert info.segmentations == (Segmentation(9, True),)
    assert not info.begins_advertisement


def test_components_may_have_times_of_their_own() -> None:
    time = (7 * TICKS | 0x7E << 32 | 1 << 39).to_bytes(5)
    body = (7).to_bytes(4) + b"\x7f\x8f" + b"\x02" + b"\x01" + time + b"\x02" + b"\x7f" + b"\0\1\0\0"
    assert parse(splice(0x05, body, b"")).times == (7 * TICKS,)


def test_old_senders_say_no_length_of_the_command() -> None:
    whole = splice_insert(5)
    old = whole[:11] + bytes((whole[11] | 0x0F, 0xFF)) + whole[13:-4]
    assert parse(section(old)).times == (5 * TICKS,)


def test_an_encrypted_section_says_nothing() -> None:
    whole = splice_insert(5)
    info = parse(section(whole[:4] + bytes((whole[4] | 0x80,)) + whole[5:-4]))
    assert info.encrypted
    assert info.command is None
    assert not info.begins_advertisement


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"", "ends within"),
        (b"\x02" + splice_insert(5)[1:], "table_id"),
        (splice_insert(5)[:-1], "cut short"),
        (splice_insert(5)[:-1] + b"\0", "CRC"),
        (section(splice_insert(5)[:3] + b"\1" + splice_insert(5)[4:-4]), "protocol"),
        (splice(0x09, b"", b""), "unknown command"),
        (splice(0x05, b"\0\0", b""), "within a field"),
        (splice(0x00, b"", b"\x02\xff"), "longer than their list"),
        (splice(0x00, b"", b"\x02\x05CUEI\0"), "within a field"),
    ],
)
def test_what_is_no_section_says_why(bad: bytes, said: str) -> None:
    with pytest.raises(Scte35Error, match=said):
        parse(bad)


@given(st.binary(max_size=80), st.booleans())
def test_no_bytes_raise_anything_else(data: bytes, whole: bool) -> None:
    if whole and len(data) >= 3:
        data = section(b"\xfc\x30" + data[2:])
    with contextlib.suppress(Scte35Error):
        parse(data)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_is_seen_by_the_crc(place: int, change: int) -> None:
    whole = bytearray(base64.b64decode(PUBLISHED["splice_insert"][0]))
    place %= len(whole)
    whole[place] ^= change
    if change:
        with pytest.raises(Scte35Error):
            parse(bytes(whole))
    else:
        assert crc32_mpeg2(bytes(whole)) == 0
