# SPDX-License-Identifier: Apache-2.0
"""How a client signs in with a new secret: from a variable or a file, never with the secret on the command line.

Whoever lists the processes of a machine, or reads the history of a shell, sees what stands on a command line.
"""

import json
import shlex
from collections.abc import Sequence

from wharfinger.console.addresses import Address
from wharfinger.console.commands import Command

VARIABLE = "REGISTRY_SECRET"


def variable() -> Sequence[Command]:
    """Return the line after which one pastes the secret: it is neither shown nor kept by the shell."""
    return (Command("Shell", f"read -rs {VARIABLE}"),)


def docker(address: Address, user: str) -> Sequence[Command]:
    """Return the lines for Docker Engine: by a variable, and by a file."""
    login = f"docker login {address.authority} -u {_quoted(user)} --password-stdin"
    return (
        Command("Docker", f'echo "${VARIABLE}" | {login}'),
        Command("Docker", f"cat ~/secret.txt | {login}"),
    )


def podman(address: Address, user: str) -> Sequence[Command]:
    """Return the line for podman, buildah and skopeo."""
    plain = "" if address.encrypted else " --tls-verify=false"
    line = f'echo "${VARIABLE}" | podman login{plain} {address.authority} -u {_quoted(user)} --password-stdin'
    return (Command("podman", line),)


def kubernetes(address: Address, user: str) -> Sequence[Command]:
    """Return the line that makes a pull secret; `imagePullSecrets` of a pod names it.

    `printf` is the shell's own, so no process has the secret among its arguments, as kubectl's own options would.
    """
    login = json.dumps({"auths": {address.authority: {"username": user, "password": "%s"}}}, separators=(",", ":"))
    line = (
        f'printf {_quoted(login)} "${VARIABLE}" | '
        "kubectl create secret docker-registry registry --from-file=.dockerconfigjson=/dev/stdin"
    )
    return (Command("kubectl", line),)


def pull_secret() -> str:
    """Return what a pod says to pull with the secret of `kubernetes`."""
    return "spec:\n  imagePullSecrets:\n    - name: registry\n"


def _quoted(user: str) -> str:
    return shlex.quote(user)
