"""Measures a pack on labelled posts: precision, recall, curves, slices, confusion, benign false alarms."""
