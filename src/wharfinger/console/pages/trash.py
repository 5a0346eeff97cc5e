# SPDX-License-Identifier: Apache-2.0
"""The trash: what was deleted and comes back, for whoever may bring it back; restoring it, and ending its time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.confirmations import Asked, ask, is_confirmed
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.digests import Digest, parse_digest
from wharfinger.domain.errors import ManifestUnknown, NameTaken, QueryInvalid
from wharfinger.domain.names import parse_repository_name, parse_tag
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.trash import Trashed, TrashEntry, TrashKind
from wharfinger.metadata.trash_lists import Position, parse_position
from wharfinger.web.access import OnDeleted, OnRepository, require_on_repository

PAGE: Final = 40
KINDS: Final = {
    TrashKind.REPOSITORY: mark("Repository"),
    TrashKind.TAG: mark("Tag"),
    TrashKind.MANIFEST: mark("Manifest"),
    TrashKind.BLOB: mark("Blob"),
}
_PATH: Final = "/trash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing in the trash, as the table shows it.

    Args:
        entry: the thing.
        kind: in a word that is translated.
        until: until when it is sure to come back.
    """

    entry: TrashEntry
    kind: str
    until: Instant


async def show(call: Call) -> View:
    """Show what the visitor may bring back: of the whole registry, or of one repository."""
    text = call.query.get("repository", "").strip()
    repository = parse_repository_name(text) if text else None
    last = _position(call)
    found = await call.services.trash.restorable(call.registry, repository, last, PAGE, _judge(call))
    lines = [_line(call, one) for one in found.items]
    following = "-".join(str(part) for part in found.last) if found.last is not None else None
    return View(
        template="trash/list.html",
        values={"lines": lines, "following": following, "first": last is None, "repository": repository or ""},
    )


async def show_repository(call: Call) -> View:
    """Show a deleted repository: who deleted it, until when it comes back, and under which name."""
    return await _repository(call)


async def restore_repository(call: Call) -> View | Leave:
    """Bring a deleted repository back, under another name if somebody took its own."""
    number = int(call.parameters["number"])
    found = await call.services.trash.repository(call.registry, number)
    text = call.form.text("name")
    wanted = parse_repository_name(text) if text and text != found.repository else None
    if wanted is not None:
        await require_on_repository(call, Action.PUSH, wanted)
    try:
        name = await call.services.repositories.restore(
            call.registry, found.repository, call.by, new_name=wanted, number=number
        )
    except NameTaken as error:
        return await _repository(call, name=text, taken=error.message)
    said = Flash(text=mark("The repository %(name)s is back, with all that it had."), values={"name": name})
    return Leave(to=call.repository_path(name=name), flash=said)


async def ask_to_purge_repository(call: Call) -> View:
    """Ask whether the time of a deleted repository is to end."""
    found = await call.services.trash.repository(call.registry, int(call.parameters["number"]))
    return ask(_end_of(call, found))


async def purge_repository(call: Call) -> View | Leave:
    """End the time of a deleted repository."""
    number = int(call.parameters["number"])
    found = await call.services.trash.repository(call.registry, number)
    if not is_confirmed(call.form, found.repository):
        return ask(_end_of(call, found, is_wrong=True))
    await call.services.trash.purge(call.registry, Trashed(repository=found.repository), call.by, number=number)
    return Leave(to=call.within(_PATH), flash=_gone(str(found)))


async def restore_content(call: Call) -> Leave:
    """Bring back a tag, a manifest or a blob of a repository that is there."""
    what = _named(call)
    name = what.repository
    back = call.within(_PATH)
    if what.tag is not None:
        await call.services.tags.restore(call.registry, name, what.tag, call.by)
        said = Flash(text=mark("The tag %(what)s is back."), values={"what": f"{name}:{what.tag}"})
        return Leave(to=call.repository_path(name=name), flash=said)
    digest = what.digest or Digest("")
    try:
        found = await call.services.manifests.restore(call.registry, name, digest, call.by)
    except ManifestUnknown:
        await call.services.blobs.restore(call.registry, name, digest, call.by)
        return Leave(to=back, flash=Flash(text=mark("The blob %(what)s is back."), values={"what": digest}))
    said = Flash(
        text=mark("The manifest is back, with tags: %(tags)s") if found.tags else mark("The manifest is back."),
        values={"tags": ", ".join(found.tags)},
    )
    return Leave(to=call.repository_path(name=name), flash=said)


async def ask_to_purge_content(call: Call) -> View:
    """Ask whether the time of a deleted manifest or blob is to end."""
    return ask(_end_of_content(call, _asked_digest(call)))


async def purge_content(call: Call) -> View | Leave:
    """End the time of a deleted manifest or blob."""
    digest = parse_digest(call.form.text("digest"))
    if not is_confirmed(call.form, call.name):
        return ask(_end_of_content(call, digest, is_wrong=True))
    what = Trashed(repository=call.name, digest=digest)
    await call.services.trash.purge(call.registry, what, call.by)
    return Leave(to=call.within(_PATH), flash=_gone(f"{call.name}@{digest}"))


async def _repository(call: Call, name: str = "", taken: str | None = None) -> View:
    found = await call.services.trash.repository(call.registry, int(call.parameters["number"]))
    return View(
        template="trash/repository.html",
        values={"line": _line(call, found), "name": name or found.repository, "taken": taken},
        status=200 if taken is None else 409,
    )


def _judge(call: Call) -> Callable[[TrashEntry], Awaitable[bool]]:
    """Return what says whether the visitor may bring something back."""
    authorization = call.services.authorization

    async def may(entry: TrashEntry) -> bool:
        if entry.kind is TrashKind.REPOSITORY:
            found = await authorization.decide_on_deleted(
                call.principal, call.registry, entry.number, Action.ADMINISTER
            )
            return found.allowed
        return await call.may(Action.DELETE, entry.repository)

    return may


def _line(call: Call, entry: TrashEntry) -> Line:
    return Line(entry=entry, kind=KINDS[entry.kind], until=call.services.trash.until(entry))


def _position(call: Call) -> Position | None:
    text = call.query.get("last")
    return None if not text else parse_position(text)


def _named(call: Call) -> Trashed:
    """Return what the form names: a tag or a digest."""
    tag, digest = call.form.text("tag"), call.form.text("digest")
    if bool(tag) is bool(digest):
        message = Sentence("The form must name one thing: a tag or a digest.")
        raise QueryInvalid(message)
    return Trashed(
        repository=call.name,
        tag=parse_tag(tag) if tag else None,
        digest=parse_digest(digest) if digest else None,
    )


def _asked_digest(call: Call) -> Digest:
    return parse_digest(call.query.get("digest", ""))


def _end_of(call: Call, entry: TrashEntry, *, is_wrong: bool = False) -> Asked:
    return Asked(
        title=mark("Delete %(name)s for good?"),
        texts=(mark("Neither the repository nor anything in it comes back. Its bytes are freed soon."),),
        values={"name": entry.repository},
        to=call.within(f"{_PATH}/repositories/{entry.number}/purge"),
        back=call.within(f"{_PATH}/repositories/{entry.number}"),
        button=mark("Delete for good"),
        typed=entry.repository,
        is_wrong=is_wrong,
    )


def _end_of_content(call: Call, digest: Digest, *, is_wrong: bool = False) -> Asked:
    return Asked(
        title=mark("Delete something of %(name)s for good?"),
        texts=(mark("It does not come back. Bytes that nothing else needs are freed soon."),),
        values={"name": call.name},
        to=call.repository_path("trash/purge"),
        back=call.within(_PATH),
        button=mark("Delete for good"),
        typed=call.name,
        fields=(("digest", digest),),
        items=(digest,),
        is_wrong=is_wrong,
    )


def _gone(what: str) -> Flash:
    return Flash(text=mark("%(what)s is deleted for good."), values={"what": what})


_DELETE: Final = OnRepository(Action.DELETE)
_DELETED: Final = OnDeleted(Action.ADMINISTER)
_ONE: Final = "/trash/repositories/{number}"
_OF_REPOSITORY: Final = "/repositories/{name}/-/trash"
ROUTES: Final[Sequence[Route]] = (
    Route("GET", _PATH, OnRepository(Action.LIST), show),
    Route("GET", _ONE, _DELETED, show_repository),
    Route("POST", _ONE + "/restore", _DELETED, restore_repository),
    Route("GET", _ONE + "/purge", _DELETED, ask_to_purge_repository),
    Route("POST", _ONE + "/purge", _DELETED, purge_repository),
    Route("POST", _OF_REPOSITORY + "/restore", _DELETE, restore_content),
    Route("GET", _OF_REPOSITORY + "/purge", _DELETE, ask_to_purge_content),
    Route("POST", _OF_REPOSITORY + "/purge", _DELETE, purge_content),
)
