"""The bare work that a request cannot do without, and its CPU time, measured beside the load.

Each call is one sample of half a second or less; `measure` takes one before and one after each window.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from authserver.accounts.passwords import Argon2Params
from benchmarks.load.plan import Plan
from benchmarks.loader import loading
from benchmarks.process import free_port, serving

BareWork = Callable[[], float]
"""Does the work for a while; returns CPU µs per piece of work."""

UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


def signature(seconds: float) -> BareWork:
    """One RSA-2048 PKCS#1 v1.5 SHA-256 signature over 400 bytes, the size of an access token."""
    key, padding, digest, message = generate_private_key(65537, 2048), PKCS1v15(), SHA256(), os.urandom(400)
    return lambda: _cost(lambda: key.sign(message, padding, digest), seconds)


def two_signatures(seconds: float) -> BareWork:
    """Two of them: an access token and an id token."""
    one = signature(seconds)
    return lambda: 2 * one()


def signature_check(seconds: float) -> BareWork:
    """The check of one such signature."""
    key, padding, digest, message = generate_private_key(65537, 2048), PKCS1v15(), SHA256(), os.urandom(400)
    public, signed = key.public_key(), key.sign(message, padding, digest)
    return lambda: _cost(lambda: public.verify(signed, message, padding, digest), seconds)


def password_hash(seconds: float) -> BareWork:
    """One argon2id hash under the server's parameters."""
    cost = Argon2Params()
    hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
    return lambda: _cost(lambda: hasher.hash("correct horse battery staple"), seconds)


@contextmanager
def empty_answer(seconds: float, connections: int, scratch: Path) -> Iterator[BareWork]:
    """One empty answer of Starlette on uvicorn, in a process of its own under the same load."""
    port = free_port()
    arguments = ["-m", "uvicorn", "benchmarks.empty_app:app", "--port", str(port), *UVICORN]
    plan = Plan(port=port, connections=connections, method="GET", path="/")
    with (
        serving(arguments, port=port, ready="/", env={}, log=scratch / "empty.log", cwd=scratch) as server,
        loading(plan) as load,
    ):
        load.window(seconds)

        def cost() -> float:
            before = server.cpu_seconds()
            requests = load.window(seconds).requests
            return 1e6 * (server.cpu_seconds() - before) / requests

        yield cost


def _cost(work: Callable[[], object], seconds: float) -> float:
    times, start = 0, process_time()
    while (spent := process_time() - start) < seconds:
        work()
        times += 1
    return 1e6 * spent / times
