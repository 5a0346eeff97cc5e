# SPDX-License-Identifier: Apache-2.0
"""`wharfinger certificate`: a certificate for a registry that has none, and what to do with it."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wharfinger.cli.terminal import fail, out
from wharfinger.clock import DAY, Clock, after, as_datetime

if TYPE_CHECKING:
    from wharfinger.security.certificates import Name

MAX_DAYS: Final = 825
_PLAIN: Final = re.compile(r"[\w./-]+")

app = typer.Typer(help="Make certificates.", no_args_is_help=True)


@app.callback()
def certificate() -> None:
    """Make certificates."""


@app.command()
def self_signed(
    names: Annotated[
        list[str],
        typer.Argument(
            help="How clients call the registry: a host name, *.example.org or an address; with :PORT if need be.",
            metavar="NAME",
        ),
    ],
    *,
    folder: Annotated[Path, typer.Option(help="Where registry.key and registry.crt are written.")] = Path(),
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="How long the certificate is valid.")] = 365,
    force: Annotated[bool, typer.Option("--force", help="Replace a key and a certificate that are there.")] = False,
) -> None:
    """Make a key and a certificate that vouches for itself, and print what to do with them."""
    from wharfinger.security import certificates  # noqa: PLC0415 - every command would wait for it otherwise

    now = Clock().now()
    try:
        wanted = [certificates.Name.parse(text) for text in names]
        made = certificates.make_self_signed(wanted, days=days, now=now)
        key, crt = certificates.write_self_signed(made, folder, force=force)
    except certificates.NameRefused as error:
        fail(str(error))
    except certificates.FileInTheWay as error:
        fail(f"{error}; choose another folder with --folder, or replace it with --force")
    except OSError as error:
        fail(f"{error.filename or folder}: {error.strerror}")
    end = as_datetime(after(now, days * DAY))
    for line in _advice(wanted, key, crt, f"{end:%Y-%m-%d}"):
        out.print(line, markup=False, soft_wrap=True)  # lines to copy must not be folded


def _advice(names: Sequence["Name"], key: Path, crt: Path, end: str) -> Iterator[str]:
    yield f"The private key is in {key}: keep it secret."
    yield f"The certificate is in {crt}; it is valid until {end}."
    yield "\nFor the server, in config.yml:\n"
    yield "http:\n  tls:"
    yield f"    certificate: {_yaml(crt)}"
    yield f"    key: {_yaml(key)}"
    yield f"\nFor Docker, as root, on every machine that pushes or pulls. Copy {crt.name} there, never {key.name}:\n"
    yield from _trust("/etc/docker/certs.d", names, crt)
    yield "\nFor podman, buildah and skopeo:\n"
    yield from _trust("/etc/containers/certs.d", names, crt)
    if any(name.is_wildcard for name in names):
        yield "\nThe clients' folders know no *: write a folder for each name that is in use."
    if any(name.port is None for name in names):
        yield "\nThe folder is called as the image's name begins. If that has a port, add it: registry.local:5000"


def _trust(folder: str, names: Sequence["Name"], crt: Path) -> Iterator[str]:
    """Yield the lines that put the certificate where a client looks for it."""
    for name in dict.fromkeys(str(name).replace("*", "registry", 1) for name in names):
        yield shlex.join(["install", "-D", "-m", "644", str(crt), f"{folder}/{name}/ca.crt"])


def _yaml(path: Path) -> str:
    """Return an absolute path as a value of YAML, in quotes where it needs them."""
    text = str(path.resolve())
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
