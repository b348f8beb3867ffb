"""Whoever follows the feed in a trial: verifiers, raw stream readers, a verifier that starts cold.

Programs of their own that `benchmarks.child` starts. Moments are on the system's monotonic clock, which all
processes of one machine share.
"""
