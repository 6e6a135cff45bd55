"""Where a post stands: its surface, and whether it answers or quotes another."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

MEANINGS = {
    "surface.message": "It is a private message.",
    "surface.live": "It is said in a live broadcast.",
    "surface.reply": "It is a reply.",
    "surface.quote": "It quotes another post.",
    "thread.present": "The text of the replied-to or quoted post is known.",
}


class ThreadObserver(PlainObserver):
    """Reports the surface, and which texts of others there are to read."""

    meanings = MEANINGS

    def applies(self, subject: Subject) -> bool:
        """Posts only."""
        return subject.post is not None

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """A reply or a quote is one by its surface or by what it refers to."""
        post = subject.post
        if post is None:
            return []
        hits: list[Hit] = []
        surfaces = {f"surface.{post.surface}"}
        for field, surface, other in (
            ("in_reply_to", "surface.reply", post.in_reply_to),
            ("quotes", "surface.quote", post.quotes),
        ):
            if other is not None:
                surfaces.add(surface)
                if other.text:
                    hits.append(Hit("thread.present", f"{field}.text", None, None))
        hits += [Hit(name, "surface", None, None) for name in sorted(surfaces) if name in MEANINGS]
        return hits


OBSERVER = ThreadObserver()
