# SPDX-License-Identifier: Apache-2.0
"""One tag, or one manifest by its digest: what is inside, what is attached, how to use it, and what it was before."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from wharfinger.clock import Instant
from wharfinger.console import commands, pulling
from wharfinger.console.calls import Call, View
from wharfinger.console.insides import NATURES, attached_rows, exactly, inside_of, pairs, short, variants_shown
from wharfinger.console.kinds import kind_of
from wharfinger.console.routing import Route
from wharfinger.domain.access import Access, Action, Mode
from wharfinger.domain.artifacts import Nature
from wharfinger.domain.audit import parse_moment
from wharfinger.domain.digests import Digest
from wharfinger.domain.errors import ManifestUnknown
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.domain.inspection import Inspection
from wharfinger.domain.names import TagName
from wharfinger.domain.referrers import Attached
from wharfinger.domain.sentences import Sentence
from wharfinger.metadata.tag_history import Movement
from wharfinger.services.tags import TagThen
from wharfinger.web.access import OnRepository, parse_number

STEPS: Final = 10
HISTORY_PAGE: Final = 50
_PLATFORM: Final = "platform"


async def show_tag(call: Call) -> View:
    """Show a tag: what it names now, or named at a time."""
    tag = TagName(call.parameters["tag"])
    at = parse_moment(call.query["at"]) if call.query.get("at") else None
    try:
        then = await call.services.tags.at(call.registry, call.name, tag, at)
    except ManifestUnknown:
        steps = await _history(call, tag, STEPS)
        if not steps:
            raise
        return await _gone(call, tag, None, steps, at)
    if not then.is_here:
        return await _gone(call, tag, then, await _history(call, tag, STEPS), at)
    view = await _show(call, then.digest, tag)
    steps = await _history(call, tag, STEPS + 1)
    repository = await call.services.repositories.find(call.registry, call.name)
    pulls = (await call.services.pulls.of(call.registry, call.name, [tag])).get(tag)
    more = {
        "then": then,
        "at": at,
        "steps": steps[:STEPS],
        "more_steps": len(steps) > STEPS,
        "pulls": 0 if pulls is None else pulls.pulls,
        "is_immutable": repository.immutability.matches(tag),
        "may_delete": view.values["may_restore"] and call.services.repositories.why_nothing_goes() is None,
    }
    return replace(view, values={**view.values, **more})


async def show_manifest(call: Call) -> View:
    """Show a manifest by its digest, with tags or without."""
    return await _show(call, Digest(call.parameters["digest"]), None)


async def show_history(call: Call) -> View:
    """Show every step of a tag, the newest first."""
    tag = TagName(call.parameters["tag"])
    before = parse_number(call.query["before"]) if "before" in call.query else None
    page = await call.services.tags.history(call.registry, call.name, tag, before, HISTORY_PAGE)
    if not page.items and before is None:
        message = Sentence("There never was a tag %(tag)r in this repository.", tag=tag)
        raise ManifestUnknown(message)
    return View(
        template="inspection/history.html",
        values={
            "repository": call.name,
            "tag": tag,
            "steps": page.items,
            "current": page.items[0].after if page.items and before is None else None,
            "may_restore": await call.may(Action.DELETE),
            "first": before is None,
            "next": page.items[-1].id if page.more and page.items else None,
            "exactly": exactly,
            "short": short,
        },
    )


async def _gone(call: Call, tag: TagName, then: TagThen | None, steps: Sequence[Movement], at: Instant | None) -> View:
    """Show a tag that is not there now, or whose manifest is not; it may come back."""
    return View(
        template="inspection/gone.html",
        values={
            "repository": call.name,
            "tag": tag,
            "then": then,
            "at": at,
            "steps": steps,
            "more_steps": len(steps) >= STEPS,
            "current": None,
            "may_restore": await call.may(Action.DELETE),
            "exactly": exactly,
            "short": short,
        },
        status=404,
    )


async def _show(call: Call, digest: Digest, tag: TagName | None) -> View:
    wanted = call.query.get(_PLATFORM) or None
    found = await call.services.inspections.look(call.registry, call.name, digest, variant=wanted)
    looked = digest if found.image is None else found.image.digest
    attached = await call.services.inspections.attached(call.registry, call.name, digest)
    to_image = Attached(referrers=(), more=False)
    if looked != digest:
        to_image = await call.services.inspections.attached(call.registry, call.name, looked)
    variants, hidden = variants_shown(found.variants)
    rows, hidden_rows = attached_rows(attached)
    image_rows, hidden_image_rows = attached_rows(to_image)
    return View(
        template="inspection/tag.html" if tag is not None else "inspection/manifest.html",
        values={
            "repository": call.name,
            "tag": tag,
            "found": found,
            "label": NATURES[found.artifact.nature],
            "inside": None if found.image is None else inside_of(found.image),
            "is_index": bool(found.variants) or found.artifact.nature is Nature.INDEX,
            "own_annotations": pairs(found.document.annotations.items()),
            "variants": variants,
            "hidden_variants": hidden,
            "attached": rows,
            "hidden_attached": hidden_rows + int(attached.more),
            "image_attached": image_rows,
            "hidden_image_attached": hidden_image_rows + int(to_image.more),
            "natures": NATURES,
            "exactly": exactly,
            "short": short,
            "current": found.digest,
            "may_restore": tag is not None and await call.may(Action.DELETE),
            **await _uses(call, found, tag, wanted),
        },
    )


async def _uses(call: Call, found: Inspection, tag: TagName | None, wanted: str | None) -> dict[str, object]:
    """Return the commands that use it."""
    kind = kind_of(found.media_type, found.document.artifact_type)
    chosen = found.chosen.platform if wanted is not None and found.chosen is not None else None
    anybody = Access(Action.PULL, call.name)
    is_open = call.mode is Mode.OPEN or await call.services.authorization.allows(ANONYMOUS, call.registry, anybody)
    user = None if call.guest.session is None else call.guest.session.name
    cluster = None
    if found.artifact.nature in {Nature.IMAGE, Nature.INDEX}:
        cluster = pulling.for_cluster(call.address, call.name, found.digest, user=user, is_open=is_open)
    return {
        "login": () if is_open or user is None else commands.login(call.address, user),
        "by_tool": pulling.by_tool(call.address, call.name, tag or found.digest, kind, chosen),
        "pinned": pulling.pinned(call.address, call.name, tag, found.digest, kind),
        "cluster": cluster,
    }


async def _history(call: Call, tag: TagName, most: int) -> Sequence[Movement]:
    return (await call.services.tags.history(call.registry, call.name, tag, None, most)).items


_PULL: Final = OnRepository(Action.PULL)
ROUTES: Final = (
    Route("GET", "/repositories/{name}/-/tags/{tag}", _PULL, show_tag),
    Route("GET", "/repositories/{name}/-/tags/{tag}/history", _PULL, show_history),
    Route("GET", "/repositories/{name}/-/manifests/{digest}", _PULL, show_manifest),
)
