# SPDX-License-Identifier: Apache-2.0
"""The page of a repository: what stands above all its tabs, its tags, and its star."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console import commands
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.commands import Command
from wharfinger.console.confirmations import Asked, ask
from wharfinger.console.flashes import Flash
from wharfinger.console.kinds import Kind, kind_of
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action, Mode
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import DeletionDisabled, ManifestUnknown, ReadOnly, TagImmutable
from wharfinger.domain.names import TagName, parse_tag
from wharfinger.domain.tags import TagPosition, parse_tag_position
from wharfinger.metadata.tags import TagSummary
from wharfinger.services.pulls import WHOLE
from wharfinger.services.tags import TagSearch
from wharfinger.web.access import OnRepository

TAGS_PAGE: Final = 30
_SHORT: Final = 12
_LONGEST_SEARCH: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRow:
    """A tag as the table shows it."""

    name: TagName
    digest: Digest
    kind: Kind
    size: int
    moved_at: Instant
    pulls: int
    pull: str
    is_immutable: bool

    @property
    def short_digest(self) -> str:
        """The digest's first figures, which are enough to tell two apart by eye."""
        return self.digest.partition(":")[2][:_SHORT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The tag whose commands are shown."""

    row: TagRow
    by_tag: Sequence[Command]
    by_digest: Sequence[Command]


async def frame(call: Call, tab: str) -> Mapping[str, object]:
    """Return what stands above every tab of a repository, and which tabs the visitor has.

    Args:
        call: the request.
        tab: the last part of the page's own path; empty for the tags.

    Raises:
        NameUnknown: there is no such repository, or nothing was ever pushed to it.
    """
    services = call.services
    size = await services.sizes.of_repository(call.registry, call.name)
    repository = await services.repositories.find(call.registry, call.name)
    has_accounts = call.mode is Mode.ACCOUNTS
    may_describe = await call.may(Action.DESCRIBE)
    may_administer = await call.may(Action.ADMINISTER)
    tabs = [
        ("", mark("Tags"), True),
        ("description", mark("Description"), True),
        ("activity", mark("Activity"), True),
        ("people", mark("People"), has_accounts and may_administer),
        ("settings", mark("Settings"), may_describe),
    ]
    return {
        "at": call.repository_path,
        "repository": repository,
        "size": size,
        "pulled": (await services.pulls.of(call.registry, call.name)).get(WHOLE),
        "stars": await services.stars.of_repository(call.registry, call.name, call.principal) if has_accounts else None,
        "tabs": [(label, call.repository_path(path), path == tab) for path, label, shown in tabs if shown],
        "has_accounts": has_accounts,
        "may_describe": may_describe,
        "may_administer": may_administer,
        "may_star": has_accounts and call.principal.account_id is not None,
    }


async def show(call: Call) -> View:
    """Show a repository: its tags, the newest first, and how to pull and push."""
    text = call.query.get("q", "").strip()[:_LONGEST_SEARCH]
    after, before = _place(call, "after"), _place(call, "before")
    search = TagSearch(text=text, after=after, before=None if after else before)
    page = await call.services.tags.newest(call.registry, call.name, search, TAGS_PAGE)
    around = await frame(call, "")
    rows = await _rows(call, page.items)
    newer = bool(rows) and (page.more if search.before is not None else after is not None)
    older = bool(rows) and (search.before is not None or page.more)
    return View(
        template="repositories/tags.html",
        values={
            **around,
            "tags": rows,
            "sought": text,
            "first": after is None and search.before is None,
            "newer": str(TagPosition(rows[0].moved_at, rows[0].name)) if newer else None,
            "older": str(TagPosition(rows[-1].moved_at, rows[-1].name)) if older else None,
            "chosen": _chosen(call, rows[0]) if rows else None,
            "push": commands.push(call.address, call.name, image=call.name.rpartition("/")[2]),
            "login": commands.login(call.address, call.principal.name) if around["has_accounts"] else (),
            "may_delete": await call.may(Action.DELETE),
            "why_nothing_goes": call.services.repositories.why_nothing_goes(),
        },
    )


async def delete_tags(call: Call) -> View | Leave:
    """Ask whether some tags are to go, and delete them; all or none."""
    back = call.repository_path()
    names = [parse_tag(text) for text in dict.fromkeys(call.form.chosen("tag"))]
    if not names:
        return Leave(to=back, flash=Flash(text=mark("No tag was chosen, so nothing was deleted."), failed=True))
    if not call.form.is_checked("confirmed"):
        one, several = mark("Delete %(tag)s from %(name)s?"), mark("Delete %(count)s tags of %(name)s?")
        asked = Asked(
            title=one if len(names) == 1 else several,
            values={"count": len(names), "tag": names[0], "name": call.name},
            texts=(mark("Their manifests stay, and what tags named is kept: “Activity” brings each of them back."),),
            to=call.repository_path("tags/delete"),
            back=back,
            fields=[("confirmed", "1"), *(("tag", name) for name in names)],
            items=names,
        )
        return ask(asked)
    try:
        await call.services.tags.delete_all(call.registry, call.name, names, call.by)
    except (TagImmutable, ManifestUnknown, DeletionDisabled, ReadOnly) as error:
        return Leave(to=back, flash=Flash(text=mark("Nothing was deleted."), said=error.message, failed=True))
    return Leave(to=back, flash=Flash(text=mark("Deleted %(tags)s."), values={"tags": ", ".join(names)}))


async def give_star(call: Call) -> Leave:
    """Mark the repository for who looks."""
    await call.services.stars.put(call.registry, call.name, call.by)
    return Leave(to=call.repository_path())


async def take_star(call: Call) -> Leave:
    """Take the mark away."""
    await call.services.stars.remove(call.registry, call.name, call.by)
    return Leave(to=call.repository_path())


async def _rows(call: Call, tags: Sequence[TagSummary]) -> Sequence[TagRow]:
    repository = await call.services.repositories.find(call.registry, call.name)
    pulls = await call.services.pulls.of(call.registry, call.name, [tag.name for tag in tags])
    rows = []
    for tag in tags:
        kind = kind_of(tag.media_type, tag.artifact_type)
        count = pulls.get(tag.name)
        row = TagRow(
            name=tag.name,
            digest=tag.digest,
            kind=kind,
            size=tag.size,
            moved_at=tag.moved_at,
            pulls=0 if count is None else count.pulls,
            pull=commands.pull(call.address, call.name, tag.name, kind)[0].line,
            is_immutable=repository.immutability.matches(tag.name),
        )
        rows.append(row)
    return rows


def _chosen(call: Call, row: TagRow) -> Chosen:
    return Chosen(
        row=row,
        by_tag=commands.pull(call.address, call.name, row.name, row.kind),
        by_digest=commands.pull(call.address, call.name, row.digest, row.kind),
    )


def _place(call: Call, parameter: str) -> TagPosition | None:
    text = call.query.get(parameter)
    return None if text is None else parse_tag_position(text)


_PULL: Final = OnRepository(Action.PULL)
_ONE: Final = "/repositories/{name}"
ROUTES: Final = (
    Route("GET", _ONE, _PULL, show),
    Route("POST", _ONE + "/-/tags/delete", OnRepository(Action.DELETE), delete_tags, longest_form=64 * 1024),
    Route("POST", _ONE + "/-/star", _PULL, give_star),
    Route("POST", _ONE + "/-/unstar", _PULL, take_star),
)
