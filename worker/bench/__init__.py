"""The benchmark: what the worker does beside bare client loops, in one run, on the same records."""
