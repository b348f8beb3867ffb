"""What a person sees who types: prompts without echo, questions, a progress bar."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.cli.conftest import PASSWORD, Desk

ROOT = Path(__file__).parents[2]


def at_a_terminal(*arguments: str, answers: dict[str, str]) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; type each answer when its prompt has come. Returns status and screen.

    A prompt for a password ends in a space, which comes once nothing is echoed any more.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "authserver", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, preexec_fn=_own_the_terminal,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    screen, waiting, deadline = "", dict(answers), time.monotonic() + 40
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                shown = os.read(ours, 4096)
            except OSError:  # Linux says so when the other side is closed
                break
            if not shown:
                break
            screen += shown.decode()
            for prompt in [prompt for prompt in waiting if prompt in screen]:
                os.write(ours, waiting.pop(prompt).encode() + b"\n")
        assert time.monotonic() < deadline, screen
        return process.wait(10), screen
    finally:
        os.close(ours)
        process.kill()
        process.wait()


def _own_the_terminal() -> None:
    """In the child: prompts that open /dev/tty, and Ctrl-C, need a controlling terminal; and whatever runs the tests in
    the background may have had Ctrl-C ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_password_is_asked_for_twice_and_not_shown(cli: Desk) -> None:
    status, screen = at_a_terminal(
        "users", "add", "ada", answers={"Password: ": PASSWORD, "Repeat for confirmation: ": PASSWORD}
    )
    assert status == 0
    assert "ada" in screen
    assert PASSWORD not in screen
    assert cli.json("users", "list")[0]["has_password"] is True


ASKED_AGAIN = "do not match.\r\nPassword: "
"""Not before the prompt: a Ctrl-C between two prompts is lost on the library that asks."""


def test_two_different_passwords_are_asked_for_again(cli: Desk) -> None:
    status, screen = at_a_terminal(
        "users", "add", "ada",
        answers={"Password: ": PASSWORD, "Repeat for confirmation: ": "another", ASKED_AGAIN: "\x03"},
    )  # fmt: skip
    assert status in (1, 130), "Ctrl-C"
    assert "Traceback" not in screen
    assert cli.json("users", "list") == []


def test_a_wide_revocation_asks_first_and_no_is_an_answer(cli: Desk) -> None:
    cli.user()
    cli.app()
    token, _ = cli.log_in()
    status, screen = at_a_terminal("revoke", "user", "ada", answers={"Go on?": "n"})
    assert (status, "1 session, 1 refresh family" in screen) == (1, True)
    assert cli.try_("token", "verify", typed=token).status == 0
    assert at_a_terminal("revoke", "user", "ada", answers={"Go on?": "y"})[0] == 0
    assert cli.try_("token", "verify", typed=token).status == 1


def test_a_plan_is_shown_before_it_is_carried_out_and_no_is_an_answer(cli: Desk) -> None:
    (cli.directory / "clients.toml").write_text('[[clients]]\nid = "robot"\n')
    status, screen = at_a_terminal("apply", "clients.toml", answers={"Go on?": "n"})
    assert (status, "+ robot" in screen.split("Go on?")[0]) == (1, True)
    assert cli.json("clients", "list") == []
    status, screen = at_a_terminal("apply", "clients.toml", "--json", answers={"Go on?": "y"})
    assert (status, "+ robot" in screen.split("Go on?")[0]) == (0, True)
    assert [client["client_id"] for client in cli.json("clients", "list")] == ["robot"]
    assert "Go on?" not in at_a_terminal("apply", "clients.toml", answers={})[1]


def test_an_import_shows_that_it_moves(cli: Desk) -> None:
    (cli.directory / "users.csv").write_text("username\n" + "".join(f"user-{n}\n" for n in range(300)))
    status, screen = at_a_terminal("users", "import", "users.csv", answers={})
    assert status == 0
    assert "added 300, refused 0" in screen
    assert "users" in screen.split("added 300")[0]
