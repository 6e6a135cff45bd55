"""Learned scores: a fast model on every post and a stronger one where it is unsure."""
