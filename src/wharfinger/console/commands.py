# SPDX-License-Identifier: Apache-2.0
"""The commands that a page shows: each works as it stands, at this address.

Docker Engine speaks plain HTTP to the machine itself unasked, and elsewhere by its own settings. podman, oras and helm
take it as an option of the command.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfinger.console.addresses import Address
from wharfinger.console.kinds import Kind, Puller
from wharfinger.domain.names import Reference, RepositoryName, is_digest


@dataclass(frozen=True, slots=True)
class Command:
    """A line for a terminal, and the tool it is for."""

    tool: str
    line: str


def push(address: Address, name: str, *, image: str) -> Sequence[Command]:
    """Return how a local image comes here."""
    place = f"{address.authority}/{name}"
    return (
        Command("Docker", f"docker tag {image} {place} && docker push {place}"),
        Command("podman", f"podman push{podman_plain(address)} {image} {place}"),
    )


def pull(address: Address, name: RepositoryName, reference: Reference, kind: Kind) -> Sequence[Command]:
    """Return how content comes from here, by the tools that understand its kind."""
    place = f"{address.authority}/{name}{'@' if is_digest(reference) else ':'}{reference}"
    match kind.puller:
        case Puller.ENGINE:
            return (
                Command("Docker", f"docker pull {place}"),
                Command("podman", f"podman pull{podman_plain(address)} {place}"),
            )
        case Puller.HELM:
            return (_helm(address, name, reference), Command("oras", f"oras pull{_plain(address)} {place}"))
        case Puller.ORAS:
            return (Command("oras", f"oras pull{_plain(address)} {place}"),)


def _helm(address: Address, name: RepositoryName, reference: Reference) -> Command:
    place = f"oci://{address.authority}/{name}"
    at = f"{place}@{reference}" if is_digest(reference) else f"{place} --version {reference.replace('_', '+')}"
    return Command("Helm", f"helm pull{_plain(address)} {at}")


def podman_plain(address: Address) -> str:
    """Return the option by which podman speaks plain HTTP, if it must."""
    return "" if address.encrypted else " --tls-verify=false"


def _plain(address: Address) -> str:
    return "" if address.encrypted else " --plain-http"


def login(address: Address, account: str) -> Sequence[Command]:
    """Return how a client signs in; it asks for the password or token, so that none stands in a shell's history."""
    return (
        Command("Docker", f"docker login -u {account} {address.authority}"),
        Command("podman", f"podman login{podman_plain(address)} -u {account} {address.authority}"),
    )
