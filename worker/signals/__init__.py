"""Shared, pure measurements of a text; one file per family of signals."""
