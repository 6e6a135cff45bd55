"""Names have no length limit but the record's: comparing a long one must not take longer than its length lets it."""

from __future__ import annotations

import time

from schemas.accounts import AccountRecord
from worker.engine.cases import CASE_TIME
from worker.engine.registry import load_pack
from worker.engine.subjects import account_subject


def cost(length: int) -> float:
    """CPU seconds to measure an account whose display name has so many words."""
    profile = {"display_name": "FBI " * length}
    account = AccountRecord.model_validate(
        {"schema_version": 1, "account_id": "u1", "updated_at": CASE_TIME, "profile": profile}
    )
    subject = account_subject(account)
    started = time.process_time()
    PACK.signals.measure([subject])
    return time.process_time() - started


PACK = load_pack(backend="re2", only={"misleading-identities"})


def test_a_display_name_of_16_000_code_points_costs_less_than_a_second() -> None:
    assert cost(4_000) < 1.0
