"""Checks with programs that others wrote, against the running server; no tests: they need what no wheel brings."""
