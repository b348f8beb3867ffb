"""A Chromium without a window, driven over two pipes (Chrome DevTools Protocol): real typing, real clicks."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from interop.programs import program

PATIENCE = 20.0
"""Seconds for anything."""


class Chromium:
    """One profile with one tab. `trusted`: a certificate that it takes as it is."""

    def __init__(self, profile: Path, *, trusted: Path | None = None) -> None:
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        options = [
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]
        if trusted is not None:
            options.append(f"--ignore-certificate-errors-spki-list={_fingerprint(trusted)}")
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        # It takes commands from descriptor 3 and answers on 4; a wrapper moves ours there.
        move = "import os,sys; a,b=map(int,sys.argv[1:3]); os.dup2(a,1003); os.dup2(b,1004); os.dup2(1003,3)"
        move += "; os.dup2(1004,4); os.execv(sys.argv[3],sys.argv[3:])"
        mover = [sys.executable, "-c", move, str(commands), str(answers)]
        self._process = subprocess.Popen(
            [*mover, program("chromium"), *options, *root, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank", session=None)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True, session=None)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._in)
        os.close(self._out)

    # -- the protocol -----------------------------------------------------------------------------

    def call(self, method: str, *, session: str | None = "tab", **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = monotonic() + PATIENCE
        while True:
            answer = self._next(until)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            if "method" in answer:
                self.events.append(answer)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            read = os.read(self._in, 1 << 16)
            if not read:
                raise RuntimeError("the browser has gone")
            self._buffer += read
        first, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(first))

    def _until_loaded(self) -> None:
        """The page that something has just begun to load."""
        until = monotonic() + PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            event = self._next(until)
            if "method" in event:
                self.events.append(event)

    def _forget_loads(self) -> None:
        self.events = [event for event in self.events if event["method"] != "Page.loadEventFired"]

    # -- what a person does -----------------------------------------------------------------------

    def open(self, url: str) -> None:
        self._forget_loads()
        self.call("Page.navigate", url=url)
        self._until_loaded()

    def click(self, id: str, *, leads_on: bool = True) -> None:
        box = self.value(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.getElementById({json.dumps(id)}))"
        )
        self._forget_loads()
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        if leads_on:
            self._until_loaded()

    def type(self, id: str, text: str) -> None:
        self.value(f"document.getElementById({json.dumps(id)}).select()")
        self.call("Input.insertText", text=text)

    def value(self, expression: str) -> Any:
        """Of a script of ours, which runs beside the page's policy; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    @property
    def url(self) -> str:
        return str(self.value("location.href"))

    @property
    def text(self) -> str:
        return str(self.value("document.body.innerText"))

    def look(self, *, width: int, dark: bool, script: bool = True) -> None:
        """As a screen of this width shows it."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def picture(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def complaints(self) -> list[str]:
        """What the browser's console says: violations of a policy, failed loads, errors of scripts."""
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [str(e["params"]) for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        return [f"{entry['text']} ({entry.get('url', '')})" for entry in logged if entry["level"] != "info"] + thrown


def _fingerprint(certificate: Path) -> str:
    """Of its key."""
    key = load_pem_x509_certificate(certificate.read_bytes()).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return base64.b64encode(digest.finalize()).decode()


@contextmanager
def chromium(profile: Path, *, trusted: Path | None = None) -> Iterator[Chromium]:
    browser = Chromium(profile, trusted=trusted)
    try:
        yield browser
    finally:
        browser.close()
