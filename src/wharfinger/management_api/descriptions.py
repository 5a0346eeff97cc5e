# SPDX-License-Identifier: Apache-2.0
"""The full description of a repository, in Markdown."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from wharfinger.domain.access import Action
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.repositories import MAX_FULL_DESCRIPTION, parse_full_description
from wharfinger.management_api.calls import OnRepository
from wharfinger.management_api.conditions import mark, matches
from wharfinger.management_api.fields import Model, RepositoryPath, Shown, checked, moment
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.descriptions import Description


class FullDescription(Shown):
    """A full description, as it was written: whoever shows it as HTML makes it harmless first."""

    markdown: str
    """Empty if there is none."""
    changed_at: datetime | None
    changed_by: str | None
    """The account that wrote it last."""


class FullDescriptionChange(Model):
    """A new full description."""

    markdown: Annotated[
        str,
        Field(max_length=2 * MAX_FULL_DESCRIPTION, examples=["# Shop\n\nThe web server of the shop."]),
        checked(parse_full_description),
    ]
    """At most 25,000 characters; empty to take it away."""


async def read_full_description(call: Calling, name: RepositoryPath) -> FullDescription:
    """Show the full description of a repository."""
    shown = _show(await call.services.descriptions.find(call.registry, RepositoryName(name)))
    mark(call, shown)
    return shown


async def change_full_description(
    call: Calling, name: RepositoryPath, change: FullDescriptionChange
) -> FullDescription:
    """Set the full description of a repository."""
    repository = RepositoryName(name)
    before = await call.services.descriptions.find(call.registry, repository)
    seen = _show(before).markdown if matches(call, _show(before)) else None
    text = parse_full_description(change.markdown)
    shown = _show(await call.services.descriptions.change(call.registry, repository, text, call.by, seen=seen))
    mark(call, shown)
    return shown


def _show(found: Description | None) -> FullDescription:
    if found is None:
        return FullDescription(markdown="", changed_at=None, changed_by=None)
    return FullDescription(markdown=found.text, changed_at=moment(found.changed_at), changed_by=found.changed_by)


_DESCRIPTION: Final = "/repositories/{name:path}/-/description"
ROUTES: Final = (
    Route("GET", _DESCRIPTION, OnRepository(Action.PULL), read_full_description),
    Route("PUT", _DESCRIPTION, OnRepository(Action.DESCRIBE), change_full_description, conditional=True),
)
