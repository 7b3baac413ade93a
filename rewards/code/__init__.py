"""Judging code with tests: output comparison, function calls and assert statements.

Programs run in a sandbox; expected values and verdicts stay in this process.
"""
