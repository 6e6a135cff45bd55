"""A printed text fires the signal of its policy, in the field where it stands."""

from __future__ import annotations

from tests.worker.signals.observers.helpers import media, observe, post
from tests.worker.signals.test_fingerprints import LETTER, printed
from worker.engine.facts import Facts
from worker.signals.observers.prints import OBSERVER

FACTS = Facts(prints=(printed(), printed(name="copy"), printed(name="book", policy="copyright")))


def test_each_policy_gets_its_best_print_of_each_field() -> None:
    subject = post(LETTER, media=[media(alt_text=LETTER[:600])])
    hits = observe(OBSERVER, subject, FACTS)
    assert [(hit.signal, hit.field, hit.detail) for hit in hits] == [
        ("text-print.copyright", "text", "print book"),
        ("text-print.perpetrators-of-attacks", "text", "print copy"),
        ("text-print.copyright", "media[0].alt_text", "print book"),
        ("text-print.perpetrators-of-attacks", "media[0].alt_text", "print copy"),
    ]
    assert hits[0].score > 0.98


def test_short_texts_are_not_looked_at() -> None:
    assert not OBSERVER.applies(post("a b c d e f g h i j k l m n o p q r s t u v w x"))
    assert OBSERVER.applies(post("a b c d e f g h i j k l m n o p q r s t u v w x y"))
    assert not OBSERVER.applies(post(""))
