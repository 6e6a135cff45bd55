"""Made of data alone; here so that the rule which ships with the worker is not taken."""

from worker.engine.scored import ScoredRule as Rule

__all__ = ["Rule"]
