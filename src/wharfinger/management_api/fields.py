# SPDX-License-Identifier: Apache-2.0
"""Kinds of fields in bodies, queries and paths: each checked by the parser of its meaning, each with an example."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wharfinger.clock import Instant, as_datetime
from wharfinger.domain.accounts import parse_account_name, parse_new_account_name
from wharfinger.domain.audit import parse_moment
from wharfinger.domain.content import ContentKind
from wharfinger.domain.digests import parse_digest
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.grants import DEPLOYMENT, parse_role
from wharfinger.domain.names import parse_repository_name
from wharfinger.management_api.calls import LONGEST_ID

LARGEST_PAGE: Final = 1_000


class Model(BaseModel):
    """What is sent: a body with a field that nobody knows is refused, so a mistyped name is not lost in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Shown(BaseModel):
    """What is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def checked(parse: Callable[[str], object]) -> AfterValidator:
    """Return a check of a field by the parser of its meaning; the text itself is kept."""

    def check(text: str) -> str:
        try:
            parse(text)
        except WharfingerError as error:
            raise ValueError(error.message) from None
        return text

    return AfterValidator(check)


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    message = "only characters that can be printed, on one line"
    raise ValueError(message)


def _lines(text: str) -> str:
    if all(line.replace("\t", " ").isprintable() for line in text.split("\n")):
        return text
    message = "only characters that can be printed, and ends of lines"
    raise ValueError(message)


def moment(instant: Instant | None) -> datetime | None:
    """Return a time as it is written here: RFC 3339, in UTC."""
    return None if instant is None else as_datetime(instant)


def time_of(instant: Instant) -> datetime:
    """Return the same, of a time that is known."""
    return as_datetime(instant)


OneLine = Annotated[str, AfterValidator(_one_line)]
Lines = Annotated[str, AfterValidator(_lines)]
DisplayName = Annotated[OneLine, Field(max_length=100, examples=["Ann Example"])]
EMail = Annotated[OneLine, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$", examples=["ann@example.com"])]
Description = Annotated[OneLine, Field(max_length=100, examples=["builds of the shop"])]
NewName = Annotated[str, Field(max_length=300, examples=["acme"]), checked(parse_new_account_name)]
KnownName = Annotated[str, Field(max_length=300, examples=["ann"]), checked(parse_account_name)]
PartName = Annotated[str, Field(max_length=300, examples=["ci"]), checked(parse_account_name)]
KnownRepository = Annotated[str, Field(max_length=300, examples=["acme/app"]), checked(parse_repository_name)]
DigestField = Annotated[str, Field(max_length=300, examples=["sha256:" + "0" * 64]), checked(parse_digest)]
Moment = Annotated[str, Field(max_length=40, examples=["2026-05-01T13:00:00Z"]), checked(parse_moment)]
Secret = Annotated[str, Field(max_length=1024, json_schema_extra={"format": "password"})]
KindsOff = Annotated[list[Annotated[ContentKind, Field(strict=False)]], Field(max_length=len(ContentKind))]
RoleWord = Annotated[
    str,
    Field(max_length=20, description="`read`, `write` or `admin`; wider places also take `viewer` and `manager`."),
    checked(lambda text: parse_role(text, DEPLOYMENT)),
]
PROVIDER: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_PROVIDER: Final = "The name of a provider of `accounts.oidc`."
ProviderName = Annotated[str, Field(max_length=32, pattern=PROVIDER, description=_PROVIDER, examples=["corp"])]

UserPath = Annotated[str, Path(description="The name of a user.", examples=["ann"])]
ProviderPath = Annotated[str, Path(max_length=32, pattern=PROVIDER, description=_PROVIDER, examples=["corp"])]
OrganizationPath = Annotated[str, Path(description="The name of an organization.", examples=["acme"])]
TeamPath = Annotated[str, Path(description="The name of a team in its organization.", examples=["builders"])]
RobotPath = Annotated[str, Path(description="A robot: ORGANIZATION+NAME or @REGISTRY+NAME.", examples=["acme+ci"])]
AccountPath = Annotated[str, Path(description="The name of a user or a robot.", examples=["ann", "acme+ci"])]
SubjectPath = Annotated[
    str, Path(description="A user, a robot, or a team as ORGANIZATION/TEAM.", examples=["ann", "acme/builders"])
]
NamespacePath = Annotated[str, Path(description="The first part of the names of repositories.", examples=["acme"])]
RegistryPath = Annotated[str, Path(description="The name of a registry.", examples=["default"])]
RepositoryPath = Annotated[str, Path(description="The name of a repository, with its slashes.", examples=["acme/app"])]
TagPath = Annotated[str, Path(description="The name of a tag.", examples=["v1"])]
DigestPath = Annotated[str, Path(description="The digest of a manifest.", examples=["sha256:" + "0" * 64])]
CredentialPath = Annotated[
    int, Path(description="The number of a credential, as lists show it.", ge=1, le=LONGEST_ID, examples=[7])
]
Size = Annotated[int, Query(alias="n", ge=1, le=LARGEST_PAGE, description="How many items a page has at most.")]
After = Annotated[
    OneLine | None,
    Query(alias="last", max_length=300, description="The last item of the page before: `next` of a page says it."),
]
AfterNumber = Annotated[
    int | None,
    Query(alias="last", ge=0, le=LONGEST_ID, description="The last item of the page before: `next` says it."),
]
