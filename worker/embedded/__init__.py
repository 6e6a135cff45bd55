"""A real Apache Kafka from package registries alone, for the demo, the tests and the benchmarks."""

from __future__ import annotations

from worker.embedded.broker import EmbeddedKafka
from worker.embedded.errors import DownloadError, EmbeddedKafkaError, ExtraMissingError, StartError
from worker.embedded.faststart import prepare_fast_start
from worker.embedded.jars import Progress, user_cache_directory

__all__ = [
    "DownloadError",
    "EmbeddedKafka",
    "EmbeddedKafkaError",
    "ExtraMissingError",
    "Progress",
    "StartError",
    "prepare_fast_start",
    "user_cache_directory",
]
