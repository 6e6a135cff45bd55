"""What can go wrong with the embedded broker, said so that a person can act on it."""

from __future__ import annotations


class EmbeddedKafkaError(Exception):
    """The embedded Apache Kafka cannot be used; the message says what, where and what to do.

    Commands report it with exit code 3 (a needed service cannot be reached).
    """


class ExtraMissingError(EmbeddedKafkaError):
    """The optional packages behind the embedded broker are not installed."""


class DownloadError(EmbeddedKafkaError):
    """Kafka's jars could not be fetched, or what came is not what the lock file names."""


class StartError(EmbeddedKafkaError):
    """The broker process ended, or did not answer within the time it was given."""
