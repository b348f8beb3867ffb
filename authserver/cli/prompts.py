"""How secrets enter: typed without echo, or from standard input; never as an argument.

Arguments stand in the shell's history and in the process list of every user of the machine.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from authserver.cli.output import fail

PASSWORD_LIMIT: Final = 16 * 1024
TOKEN_LIMIT: Final = 64 * 1024

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input (one line).")
]
GeneratePassword = Annotated[
    bool, typer.Option("--generate-password", help="Make a random password and print it once.")
]
TokenArgument = Annotated[str | None, typer.Argument(hidden=True, metavar="-")]
TokenFile = Annotated[Path | None, typer.Option("--file", help="Read the token from this file instead of stdin.")]


def choose_password(*, stdin: bool, generate: bool) -> str:
    """By the one way that was chosen; raises typer.Exit(2) for two."""
    if stdin and generate:
        fail("--password-stdin and --generate-password exclude each other")
    # 24 letters and digits of base64url: 144 bits, and nothing that a form would refuse.
    return secrets.token_urlsafe(18) if generate else read_password(stdin=stdin)


def read_password(*, stdin: bool) -> str:
    """The password; raises typer.Exit(2) when there is none, so that nobody gets an empty one by accident."""
    if stdin:
        line = sys.stdin.read(PASSWORD_LIMIT).removesuffix("\n").removesuffix("\r")
        if not line or "\n" in line:
            fail("--password-stdin: expected exactly one line with the password")
        return line
    if not sys.stdin.isatty():
        fail("no terminal to ask for the password on; use --password-stdin or --generate-password")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def read_token(argument: str | None, file: Path | None) -> str:
    """The token on standard input (or in `file`), without the white space around it."""
    if argument not in (None, "-"):
        fail(
            "tokens are not taken as arguments, where other users of this machine could read them: "
            'pipe it in, as in  printf %s "$TOKEN" | authserver token inspect'
        )
    try:
        text = file.read_text("utf-8") if file else _from_stdin()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"cannot read the token: {error}")
    token = text[:TOKEN_LIMIT].strip()
    if not token:
        fail("there is no token on standard input")
    return token


def _from_stdin() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True, err=True))
    return sys.stdin.read(TOKEN_LIMIT)
