"""Checks answers to mathematical problems: exact rules first, Math-Verify in a killable worker for
the rest. Nothing that a model wrote is ever evaluated as code."""

from rewards.math.checker import MathChecker, MathVerdict

__all__ = ["MathChecker", "MathVerdict"]
