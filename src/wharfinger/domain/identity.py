# SPDX-License-Identifier: Apache-2.0
"""Who acts: the principal that was recognised, what its credential may be used for, and what the audit log notes."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


class Scope(enum.StrEnum):
    """What a personal access token or an access key may be used for."""

    READ = "read:packages"
    WRITE = "write:packages"
    """Also reads."""
    DELETE = "delete:packages"
    """Also reads."""
    ADMIN_PACKAGES = "admin:packages"
    ADMIN_ORGANIZATION = "admin:org"
    ADMIN_REGISTRY = "admin:registry"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a registry token: what the token may be used for on one name.

    Args:
        repository: the name; nothing for the list of repositories (`registry:catalog:*`), because a repository may be
            called `catalog` too.
        actions: of `pull`, `push` and `delete`; `*` for the list, and only there.
        repository_id: which repository had the name when the token was made; another one of that name is not opened.
        created_since: where there was none: the entry opens one that the token's own principal made at or after this
            time, in microseconds, so that the first push of a new name works: POST creates, PATCH follows with the same
            token.
        everything: another server's token said `*` for this repository. In a token of our own it would open nothing.
    """

    repository: str | None
    actions: frozenset[str]
    repository_id: int | None = None
    created_since: int | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a credential may be used for; it takes away from what its account may do, and never adds.

    Args:
        scopes: what for; nothing for a credential without scopes, such as a password.
        repositories: ids of the only repositories it may touch; nothing for no such limit.
        entries: of a registry token, the only names and actions it opens; nothing for any other credential.
    """

    scopes: frozenset[Scope] | None = None
    repositories: frozenset[int] | None = None
    entries: Sequence[Entry] | None = None


NO_CEILING: Final = Ceiling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a sign-in shows to an organization that demands single sign-on (ADR 0026).

    Args:
        provider: through which the session came; nothing for any other sign-in.
        credential_id: whose authorizations count: that of the token or key, or, of what was made from one, that of the
            one it was made from.
    """

    provider: str | None = None
    credential_id: int | None = None


NO_PROOF: Final = Proof()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A CI job or a program in a cluster that was recognised by its own identity; no account stands for it.

    Args:
        rules: ids of the trust rules that its identity matched. What they give is looked up at every request.
        source: where its code comes from, for rules about repositories that are linked to it.
    """

    rules: tuple[int, ...]
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who acts.

    Args:
        name: as it is shown and logged.
        account_id: nothing for somebody who did not sign in, or whom no account of ours stands for.
        is_anonymous: whether it did not sign in. A token that was given to nobody in particular is nobody too: make its
            principal with `dataclasses.replace(ANONYMOUS, ceiling=…)`.
        credential_id: which of the account's credentials was shown, if it has a row.
        ceiling: what that credential may be used for at most.
        proof: what it shows to organizations that demand single sign-on.
        workload: which trust rules let it in, if it is a workload.
    """

    name: str
    account_id: int | None = None
    is_anonymous: bool = False
    credential_id: int | None = None
    ceiling: Ceiling = NO_CEILING
    proof: Proof = NO_PROOF
    workload: Workload | None = None


ANONYMOUS: Final = Principal(name="anonymous", is_anonymous=True)
SYSTEM: Final = Principal(name="system")
"""The registry itself, at work in a background job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A principal in one request: what every change of state is recorded with."""

    principal: Principal
    credential_id: int | None = None
    client_address: str | None = None
    request_id: str | None = None
    user_agent: str | None = None


NOBODY_YET: Final = Actor(principal=ANONYMOUS)


def nobody_yet() -> Actor:
    """Return somebody of whom nothing is known, not even where it is."""
    return NOBODY_YET


SYSTEM_ACTOR: Final = Actor(principal=SYSTEM)
