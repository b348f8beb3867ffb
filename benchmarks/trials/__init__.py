"""Measurements that are no closed loop of requests: how soon a revocation takes effect, and what validation costs.

Each has a fresh server of its own, and gives one or more results of named figures. The load (verifiers, stream
readers) runs in processes of its own, `benchmarks.follow`.
"""
