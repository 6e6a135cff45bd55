"""The demonstration: bundled posts through a real worker on a real Kafka, shown as it happens."""
