"""How long the sound of a file is, by what its container states; nothing is decoded.

Decoders written in C end their process on broken files, and nothing here needs the sound itself: an exact hash is
taken of the file, and what is spoken comes as a transcript.
"""

from __future__ import annotations

from pathlib import Path

from tinytag import TinyTag, TinyTagException

from worker.media.item import Refusal, RefusedError


def audio_seconds(path: Path) -> float | None:
    """Seconds of sound in a file; None where its format states none, as raw AAC.

    Raises:
        RefusedError: UNREADABLE: it is broken, or holds no sound.
    """
    try:
        about = TinyTag.get(path, tags=False)
    except TinyTagException:
        raise RefusedError(Refusal.UNREADABLE, "its sound is truncated or broken") from None
    except Exception:  # noqa: BLE001  # a parser of other people's files raises nearly anything
        raise RefusedError(Refusal.UNREADABLE, "it is truncated or broken") from None
    seconds = about.duration
    if seconds is None or not 0 < seconds < float("inf"):
        raise RefusedError(Refusal.UNREADABLE, "it has no sound in it")
    return round(float(seconds), 3)
