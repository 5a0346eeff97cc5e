# SPDX-License-Identifier: Apache-2.0
"""Credentials of users and robots: tokens and access keys, and the devices that are signed in.

A secret is in one answer, the one that made it, and in no other.
"""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.clock import DAY
from wharfinger.domain.access import Action
from wharfinger.domain.accounts import AccountName, CredentialKind
from wharfinger.domain.credentials import LONGEST_NAME
from wharfinger.domain.identity import Scope
from wharfinger.domain.management import Task
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.pages import page_of
from wharfinger.management_api.calls import Call, Managing, require_on_repository
from wharfinger.management_api.fields import (
    AccountPath,
    AfterNumber,
    CredentialPath,
    KnownRepository,
    Model,
    OneLine,
    Shown,
    Size,
    moment,
    time_of,
)
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.problems import BadRequest, FieldError
from wharfinger.management_api.routing import Calling, Route
from wharfinger.metadata.credentials import Credential
from wharfinger.services.credentials import Wanted

LONGEST_DAYS: Final = 366
_MOST_REPOSITORIES: Final = 100


class ShownCredential(Shown):
    """A credential, without its secret."""

    id: int
    kind: CredentialKind
    """`token`, `key`, or `refresh`: a device that is signed in."""
    name: str
    public_id: str | None
    """Of an access key: the half that is no secret."""
    ends_in: str
    """The last characters of the secret."""
    scopes: list[Scope] | None
    """What it may be used for; nothing if it is not limited."""
    limited_to_repositories: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """The day of its last use."""
    revoked_at: datetime | None
    parent_id: int | None
    """The credential that it was made with, and ends with."""
    device: str | None


class NewCredential(Model):
    """A token or an access key that is to be made."""

    kind: Annotated[CredentialKind, Field(strict=False)] = CredentialKind.TOKEN
    """`token`, or `key` for an access key, which has an id and a secret."""
    name: Annotated[OneLine, Field(min_length=1, max_length=LONGEST_NAME, examples=["laptop"])]
    scopes: Annotated[
        list[Annotated[Scope, Field(strict=False)]], Field(min_length=1, max_length=6, examples=[["read:packages"]])
    ]
    """What it may be used for."""
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, examples=[30])] | None = None
    """How long it is valid; without it, as long as is usual here (`accounts.tokens.defaultlifetime`)."""
    repositories: Annotated[list[KnownRepository], Field(max_length=_MOST_REPOSITORIES)] | None = None
    """The only repositories that it may touch; without it, there is no such limit."""


class IssuedCredential(Shown):
    """A credential that was made; its secret is shown this once."""

    id: int
    kind: CredentialKind
    name: str
    public_id: str | None
    secret: str
    """Keep it now: nobody can show it again."""
    expires_at: datetime | None


class Revoked(Shown):
    """How many credentials ended."""

    revoked: int


async def list_credentials(
    call: Calling, account: AccountPath, size: Size = PAGE, last: AfterNumber = None
) -> Page[ShownCredential]:
    """List the credentials of an account, those that ended too, the newest first."""
    found = await call.services.credentials.list(AccountName(account), last, size + 1)
    return page(call, page_of(found, size), key=lambda one: one.id, show=_show)


async def create_credential(call: Calling, account: AccountPath, new: NewCredential) -> IssuedCredential:
    """Make a token or an access key.

    People make their own; the owners of an organization make those of its robots. What is made with a token is no
    wider than the token, ends with it, and no later.
    """
    if new.kind is CredentialKind.REFRESH:
        field = FieldError("a device signs in at the token endpoint; make a token or a key", pointer="/kind")
        raise BadRequest(422, "fields-invalid", "Fields of the body cannot be taken.", [field])
    wanted = Wanted(
        kind=new.kind,
        name=new.name,
        scopes=frozenset(new.scopes),
        lifetime=None if new.days is None else new.days * DAY,
        repositories=await _repositories(call, new.repositories),
    )
    made = await call.services.credentials.issue(AccountName(account), wanted, call.by)
    return IssuedCredential(
        id=made.id,
        kind=new.kind,
        name=new.name,
        public_id=made.public_id,
        secret=made.secret,
        expires_at=moment(made.expires_at),
    )


async def revoke_credential(call: Calling, account: AccountPath, credential: CredentialPath) -> None:
    """End a token, a key or the sign-in of a device at once, with all that came from it."""
    await call.services.credentials.revoke(AccountName(account), credential, call.by)


async def revoke_all_credentials(call: Calling, account: AccountPath) -> Revoked:
    """End every credential of an account at once."""
    return Revoked(revoked=await call.services.credentials.revoke_all(AccountName(account), call.by))


async def _repositories(call: Call, names: list[str] | None) -> frozenset[int] | None:
    """Return the ids of repositories that the caller may pull: it cannot find out here which others exist."""
    if names is None:
        return None
    found: set[int] = set()
    for name in names:
        await require_on_repository(call, Action.PULL, RepositoryName(name))
        repository_id, _ = await call.services.repositories.require(call.registry, RepositoryName(name))
        found.add(repository_id)
    return frozenset(found)


def _show(one: Credential) -> ShownCredential:
    return ShownCredential(
        id=one.id,
        kind=one.kind,
        name=one.name,
        public_id=one.public_id,
        ends_in=one.hint,
        scopes=None if one.scopes is None else sorted(one.scopes),
        limited_to_repositories=one.repositories is not None,
        created_at=time_of(one.created_at),
        expires_at=moment(one.expires_at),
        last_used_at=moment(one.last_used_at),
        revoked_at=moment(one.revoked_at),
        parent_id=one.parent_id,
        device=one.device,
    )


_ALL: Final = "/accounts/{account}/credentials"
ROUTES: Final = (
    Route("GET", _ALL, Managing(Task.READ), list_credentials),
    Route("POST", _ALL, Managing(Task.ISSUE), create_credential, status=201),
    Route("DELETE", _ALL, Managing(Task.MANAGE), revoke_all_credentials),
    Route(
        "DELETE", "/accounts/{account}/credentials/{credential}", Managing(Task.MANAGE), revoke_credential, status=204
    ),
)
