# SPDX-License-Identifier: Apache-2.0
"""Identity tokens on the command line: from a file or standard input, never as an argument, and never printed."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from wharfinger.cli.terminal import fail

Token = Annotated[str, typer.Argument(help="A file with the identity token; `-` for standard input.", metavar="FILE")]
_MOST_CHARACTERS: Final = 64 * 1024


def read_token(file: str) -> str:
    """Return the token in a file, or end the command with a sentence that says nothing of it."""
    if file.count(".") >= 2 and file.startswith("eyJ"):  # noqa: PLR2004 - the dots of a token
        fail("give a file with the token, or - for standard input: whoever lists the processes would read it here")
    try:
        if file == "-":
            return sys.stdin.read(_MOST_CHARACTERS).strip()
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(_MOST_CHARACTERS).strip()
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except UnicodeDecodeError:
        fail("this is no identity token: it is no text")
