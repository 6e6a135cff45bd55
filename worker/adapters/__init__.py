"""Implementations of the ports: Kafka for production, memory for replay and tests."""
