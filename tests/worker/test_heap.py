from __future__ import annotations

import gc

from worker import heap


def test_what_is_alive_is_left_to_itself() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        heap.settle()
        assert gc.get_freeze_count() > frozen
        assert gc.get_threshold()[0] == heap.YOUNG_OBJECTS
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
