"""The benchmark: what a request costs the real server, and how near that is to the least it could cost.

It starts servers and databases of its own, loads them over loopback for a bounded time and
measures the bare work (one signature, one empty answer, one password hash) in the same run, so
that a figure means the same on a fast and on a slow machine. `docs/benchmark.md` tells how to read it.
"""
