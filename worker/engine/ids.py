"""Deterministic identifiers: the same cause always gives the same id, on every worker and in every replay."""

from __future__ import annotations

import hashlib
import json


def digest(*parts: object) -> str:
    """The first 32 hex digits of SHA-256 over the compact JSON array of `parts` (CONTRACT: `action_id`)."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    # Ids come from JSON and could hold what UTF-8 cannot encode only if decoding let it through; it does not.
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def action_id(
    kind: str,
    operation: str,
    subject_type: str,
    subject_id: str,
    policy: str,
    policy_version: int,
    cause: str,
) -> str:
    """The id of an enforcement action. `cause` is the post, `account@updated_at`, report, review or
    finding id; for a reversal, the id of the reversed action."""
    return digest(kind, operation, subject_type, subject_id, policy, policy_version, cause)


_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit murmur2 hash that Kafka's Java client uses to choose a partition.

    Source: `org.apache.kafka.common.utils.Utils.murmur2`; seed 0x9747b28c, 4-byte little-endian blocks.
    """
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    if whole < length:
        h ^= int.from_bytes(data[whole:], "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Java clients and `partitioner=murmur2_random` choose for a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
