# SPDX-License-Identifier: Apache-2.0
"""How one tag or digest is used elsewhere: pulled by each tool, pinned in a build file, run in a cluster.

No secret is part of a command: other programs of a machine see its arguments.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from wharfinger.console.addresses import Address
from wharfinger.console.commands import Command, podman_plain, pull
from wharfinger.console.kinds import Kind, Puller
from wharfinger.domain.names import Reference, RepositoryName, TagName, is_digest
from wharfinger.domain.platforms import Platform

SECRET: Final = "wharfinger"  # noqa: S105 - what the secret of a cluster is called, not one
"""What the examples call the secret of a cluster."""
_NOBODY: Final = "NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What a cluster needs.

    Args:
        secret: the command that makes the secret with a token from a file; nothing where none is needed.
        account: what makes every pod of a namespace use it.
        pod: the part of a pod that runs the image.
    """

    secret: Command | None
    account: Command | None
    pod: str


def by_tool(
    address: Address, name: RepositoryName, reference: Reference, kind: Kind, platform: Platform | None = None
) -> Sequence[Command]:
    """Return how each tool pulls.

    Args:
        address: where clients find the registry.
        name: the repository.
        reference: the tag or digest.
        kind: what it is.
        platform: to be asked for; nothing for what the tool chooses.
    """
    first = pull(address, name, reference, kind)
    if kind.puller is not Puller.ENGINE:
        return first
    place = place_of(address, name, reference)
    plain = "" if address.encrypted else " --insecure-registry"
    source = "" if address.encrypted else " --src-tls-verify=false"
    last = name.rpartition("/")[2]
    wanted = "" if platform is None else f" --platform {shlex.quote(_written(platform))}"
    override = "" if platform is None else _override(platform)
    label = "latest" if is_digest(reference) else reference
    return (
        Command("Docker", f"docker pull{wanted} {place}"),
        Command("podman", f"podman pull{podman_plain(address)}{wanted} {place}"),
        Command("nerdctl", f"nerdctl{plain} pull{wanted} {place}"),
        Command("skopeo", f"skopeo{override} copy{source} docker://{place} oci:{last}:{label}"),
    )


def pinned(
    address: Address, name: RepositoryName, tag: TagName | None, digest: Reference, kind: Kind
) -> Sequence[Command]:
    """Return how exactly this content is named, whatever the tag names later."""
    place = place_of(address, name, digest)
    if kind.puller is not Puller.ENGINE:
        return pull(address, name, digest, kind)
    told = place_of(address, name, tag) + f"@{digest}" if tag is not None else place
    return (Command("Docker", f"docker pull {place}"), Command("Dockerfile", f"FROM {told}"))


def for_cluster(
    address: Address, name: RepositoryName, digest: Reference, *, user: str | None, is_open: bool
) -> Cluster:
    """Return how a cluster pulls the image.

    Args:
        address: where clients find the registry.
        name: the repository.
        digest: the image; by its digest, so that every node runs the same.
        user: whose token it is; nothing for nobody in particular.
        is_open: whether everybody may pull it.
    """
    lines = ["spec:"]
    if not is_open:
        lines += ["  imagePullSecrets:", f"    - name: {SECRET}"]
    image = place_of(address, name, digest)
    lines += ["  containers:", "    - name: app", f"      image: {image}"]
    if is_open:
        return Cluster(secret=None, account=None, pod="\n".join(lines))
    # `printf` is part of the shell, so the token is no argument of a program; and %s takes it as it is.
    user_name = orjson.dumps(user or _NOBODY).decode().replace("%", "%%")
    document = f'{{"auths":{{"{address.authority}":{{"username":{user_name},"password":"%s"}}}}}}'
    secret = (
        f'printf {shlex.quote(document)} "$(cat token.txt)" | '
        f"kubectl create secret docker-registry {SECRET} --from-file=.dockerconfigjson=/dev/stdin"
    )
    patch = shlex.quote(orjson.dumps({"imagePullSecrets": [{"name": SECRET}]}).decode())
    return Cluster(
        secret=Command("kubectl", secret),
        account=Command("kubectl", f"kubectl patch serviceaccount default -p {patch}"),
        pod="\n".join(lines),
    )


def place_of(address: Address, name: RepositoryName, reference: Reference) -> str:
    """Return the whole name of a tag or digest."""
    return f"{address.authority}/{name}{'@' if is_digest(reference) else ':'}{reference}"


def _written(platform: Platform) -> str:
    return "/".join(part for part in (platform.system, platform.architecture, platform.variant) if part)


def _override(platform: Platform) -> str:
    variant = f" --override-variant {shlex.quote(platform.variant)}" if platform.variant else ""
    system, architecture = shlex.quote(platform.system), shlex.quote(platform.architecture)
    return f" --override-os {system} --override-arch {architecture}{variant}"
