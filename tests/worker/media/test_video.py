from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.worker.media.films import CODECS, FPS, write_video, write_wav
from tests.worker.media.pictures import landscape, portrait_like, texture
from worker.media.audio import audio_seconds
from worker.media.examine import examine
from worker.media.images import DRAFT_SIDE
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.pdq import pdq
from worker.media.video import read_video

SIZE = (320, 240)
SCENES = [landscape(1, SIZE), portrait_like(2, SIZE), texture(3, SIZE), landscape(4, SIZE)]
FORMATS = {"ts": "mpegts"}


def refused(path: Path, asked: Asked | None = None, limits: Limits | None = None) -> Refusal:
    with pytest.raises(RefusedError) as error:
        examine(path, asked or Asked(), limits or Limits())
    assert error.value.detail.strip()
    return error.value.reason


def outcome(path: Path) -> Found | Refusal:
    try:
        return examine(path, Asked(), Limits(examine_seconds=5))
    except RefusedError as error:
        return error.reason


@pytest.mark.parametrize("suffix", CODECS)
def test_frames_are_those_of_the_scenes_in_every_container(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", SCENES)
    found = examine(path, Asked("video"), Limits())
    assert (found.kind, found.format) == ("video", FORMATS.get(suffix, suffix))
    assert (found.width, found.height) == SIZE
    assert found.duration_seconds == pytest.approx(4, abs=0.1)
    assert [frame.at_seconds for frame in found.frames] == pytest.approx([0, 1, 2, 3], abs=0.08)
    for frame, scene in zip(found.frames, SCENES, strict=True):
        assert frame.pdq is not None
        assert (int(frame.pdq, 16) ^ int(pdq(scene).hash, 16)).bit_count() <= 31
    assert found.pdq is None  # a video has no hash of its own but those of its frames
    assert found.sha256
    assert found.md5


def test_a_long_video_is_looked_at_up_to_its_end_by_fewer_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", SCENES * 10, fps=5)
    found = examine(path, Asked(), Limits(frames=8))
    times = [frame.at_seconds for frame in found.frames]
    assert 5 <= len(times) <= 8
    assert times[0] == 0
    assert times[-1] >= 30
    assert max(after - before for before, after in itertools.pairwise(times)) <= 10


def test_nothing_is_looked_at_past_the_limit_of_its_length(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SCENES)
    found = examine(path, Asked(), Limits(played_seconds=1.5))
    assert [round(frame.at_seconds) for frame in found.frames] == [0, 1]


@pytest.mark.parametrize("suffix", CODECS)
def test_when_time_runs_short_the_rest_is_looked_at_here_and_there(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", SCENES * 4)
    moments = itertools.count(0, 0.1)  # each look at the clock takes a tenth of a second
    video = read_video(
        path, FORMATS.get(suffix, suffix), Limits(examine_seconds=10), clock=lambda: next(moments)
    )
    seen = list(video.frames)
    times = [seconds for seconds, _ in seen]
    decoded = 10 * 0.4 / 0.1 / FPS
    assert [seconds for seconds in times if seconds <= decoded] == pytest.approx([0, 1], abs=0.1)
    later = sorted(seconds for seconds in times if seconds > decoded)
    assert len(later) >= 5
    assert later[-1] >= 12
    assert min(after - before for before, after in itertools.pairwise(later)) >= 0.9
    for seconds, picture in seen:  # what is shown is what stands at that time
        scene = SCENES[int(seconds + 1e-6) % 4]
        assert (int(pdq(picture).hash, 16) ^ int(pdq(scene).hash, 16)).bit_count() <= 40


def test_a_header_that_says_another_length_does_not_choose_what_is_looked_at(tmp_path: Path) -> None:
    """The count of frames in an AVI's headers, made a thousand times as large, and one."""
    whole = write_video(tmp_path / "a.avi", SCENES).read_bytes()
    count = (4 * FPS).to_bytes(4, "little")
    path = tmp_path / "lie.avi"
    for lie in (1, 100_000, 0xFFFFFFFF):
        at = whole.index(b"avih") + 8 + 16
        assert whole[at : at + 4] == count
        header = whole.index(b"strh") + 8 + 32
        assert whole[header : header + 4] == count
        told = lie.to_bytes(4, "little")
        path.write_bytes(whole[:at] + told + whole[at + 4 : header] + told + whole[header + 4 :])
        found = examine(path, Asked(), Limits(examine_seconds=10))
        assert [round(frame.at_seconds) for frame in found.frames] == [0, 1, 2, 3]
        moments = itertools.count(0, 0.1)
        video = read_video(path, "avi", Limits(examine_seconds=10), clock=moments.__next__)
        assert len(list(video.frames)) >= (2 if lie == 1 else 3)


def test_a_picture_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", SCENES)
    assert refused(path, limits=Limits(pixels=320 * 240 - 1)) is Refusal.TOO_MANY_PIXELS
    assert refused(path, limits=Limits(side_pixels=319)) is Refusal.TOO_MANY_PIXELS


def test_large_frames_are_hashed_smaller_by_a_whole_factor(tmp_path: Path) -> None:
    size = (2 * DRAFT_SIDE + 64, 2 * DRAFT_SIDE)
    path = write_video(
        tmp_path / "a.avi", [np.tile(landscape(9, (size[0] // 4, size[1] // 4)), (4, 4, 1))], 0.2
    )
    video = read_video(path, "avi", Limits())
    shapes = {picture.shape for _, picture in video.frames}
    assert (video.width, video.height) == size
    assert shapes == {(DRAFT_SIDE, DRAFT_SIDE + 32, 3)}


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_cut_off_gives_what_is_there_or_is_refused(tmp_path: Path, suffix: str) -> None:
    whole = write_video(tmp_path / f"a.{suffix}", SCENES).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for share in (0.02, 0.3, 0.6, 0.95):
        cut.write_bytes(whole[: int(len(whole) * share)])
        found = outcome(cut)
        assert found is Refusal.UNREADABLE or (isinstance(found, Found) and 1 <= len(found.frames) <= 4)


def test_damaged_videos_end_as_something_found_or_as_a_refusal(tmp_path: Path) -> None:
    chance = np.random.default_rng(5)
    for suffix in ("mp4", "avi", "mkv", "webm", "ts", "flv"):
        whole = np.frombuffer(write_video(tmp_path / f"a.{suffix}", SCENES[:2]).read_bytes(), np.uint8)
        for number in range(6):
            changed = whole.copy()
            places = chance.integers(64, len(whole), 1 + 40 * number)
            changed[places] = chance.integers(0, 256, len(places), np.uint8)
            path = tmp_path / f"b{number}.{suffix}"
            path.write_bytes(changed.tobytes())
            assert isinstance(outcome(path), Found | Refusal)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXTINF:4,\nhttp://169.254.169.254/latest\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '/etc/passwd'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://10.0.0.1/</BaseURL></MPD>',
    ],
)
def test_a_list_of_addresses_is_refused_whatever_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(text)
    assert refused(path, Asked("video")) is Refusal.PLAYLIST


def test_a_file_that_begins_like_a_video_is_never_opened_as_another_format(tmp_path: Path) -> None:
    """FFmpeg's guess by content would take it for a playlist; the named demuxer finds no picture in it."""
    path = tmp_path / "a.mp4"
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n" + b"film.ts\n#EXT-X-ENDLIST\n"
    write_video(tmp_path / "film.ts", SCENES[:1])
    path.write_bytes((16).to_bytes(4) + b"ftypisom" + bytes(4) + playlist)
    assert refused(path) is Refusal.UNREADABLE


def test_labels_of_another_kind_are_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", SCENES[:1])
    assert refused(video, Asked("image")) is Refusal.MISLABELLED
    assert refused(video, Asked("audio")) is Refusal.MISLABELLED
    assert examine(video, Asked("gif"), Limits()).kind == "video"  # short and silent: platforms call it so
    assert examine(video, Asked("live_video"), Limits()).kind == "live_video"
    sound = write_wav(tmp_path / "a.wav")
    assert refused(sound, Asked("image")) is Refusal.MISLABELLED


@pytest.mark.parametrize("code", ["FFV1", "MPNG", "HFYU"])
def test_a_codec_that_is_not_on_the_list_is_refused(tmp_path: Path, code: str) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), FPS, SIZE)
    assert writer.isOpened()
    for scene in SCENES:
        writer.write(scene)
    writer.release()
    assert refused(path) is Refusal.UNSUPPORTED


def test_sound_has_exact_hashes_and_a_length(tmp_path: Path) -> None:
    found = examine(write_wav(tmp_path / "a.wav", 2.5), Asked("audio"), Limits())
    assert (found.kind, found.format, found.duration_seconds) == ("audio", "wav", 2.5)
    assert found.sha256
    assert found.md5
    assert not found.frames


def test_broken_sound_is_refused(tmp_path: Path) -> None:
    whole = write_wav(tmp_path / "a.wav").read_bytes()
    path = tmp_path / "b.wav"
    path.write_bytes(whole[:30])
    with pytest.raises(RefusedError) as error:
        audio_seconds(path)
    assert error.value.reason is Refusal.UNREADABLE
