# SPDX-License-Identifier: Apache-2.0
"""What happened to a repository: its pulls by day, and what was done to it, as far as the visitor may know."""

from typing import Final

from wharfinger.clock import DAY
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.charts import chart
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.pages.repository import frame
from wharfinger.console.routing import Route
from wharfinger.domain.access import Action
from wharfinger.domain.audit import ACTIVITY, AuditFilter
from wharfinger.domain.errors import ContentGone, ManifestUnknown, QueryInvalid, ReadOnly, TagImmutable
from wharfinger.domain.events import EventAction, Result
from wharfinger.domain.names import parse_tag
from wharfinger.domain.sentences import Sentence
from wharfinger.web.access import LONGEST_ID, OnRepository

EVENTS_PAGE: Final = 50
DAYS: Final = 90
WORDS: Final = {
    EventAction.REPOSITORY_CREATED: mark("Repository made"),
    EventAction.REPOSITORY_DELETED: mark("Repository deleted"),
    EventAction.REPOSITORY_RESTORED: mark("Repository restored"),
    EventAction.REPOSITORY_CHANGED: mark("Settings changed"),
    EventAction.RETENTION_CHANGED: mark("Retention changed"),
    EventAction.MANIFEST_PUSHED: mark("Manifest pushed"),
    EventAction.MANIFEST_DELETED: mark("Manifest deleted"),
    EventAction.MANIFEST_RESTORED: mark("Manifest restored"),
    EventAction.MANIFEST_COLLECTED: mark("Manifest removed for good"),
    EventAction.BLOB_RESTORED: mark("Blob restored"),
    EventAction.TAG_MOVED: mark("Tag moved"),
    EventAction.TAG_DELETED: mark("Tag deleted"),
    EventAction.TRASH_PURGED: mark("Trash emptied"),
    EventAction.GRANT_GIVEN: mark("Role given"),
    EventAction.GRANT_TAKEN: mark("Role taken away"),
    EventAction.ACCESS_DENIED: mark("Refused"),
    EventAction.TRUST_ADDED: mark("Trust rule added"),
    EventAction.TRUST_CHANGED: mark("Trust rule changed"),
    EventAction.TRUST_REMOVED: mark("Trust rule removed"),
    EventAction.CONTENT_DAMAGED: mark("Content found damaged"),
    EventAction.CONTENT_HEALED: mark("Content found sound again"),
}
"""What else may stand in a repository's history is shown as the event is called."""


async def show(call: Call) -> View:
    """Show pulls, and what was done; admins see roles and refusals too."""
    before = _before(call)
    around = await frame(call, "activity")
    is_admin = bool(around["may_administer"])
    wanted = AuditFilter() if is_admin else AuditFilter(actions=ACTIVITY, result=Result.DONE)
    sight = await call.services.audit.of_repository(call.registry, call.name)
    page = await call.services.audit.list(wanted, sight, before=before, limit=EVENTS_PAGE)
    values: dict[str, object] = {
        **around,
        "events": page.items,
        "words": WORDS,
        "is_admin": is_admin,
        "may_delete": await call.may(Action.DELETE),
        "first": before is None,
        "next": str(page.items[-1].id) if page.more else None,
        "days": DAYS,
    }
    if before is None:
        pulls = dict(await call.services.pulls.by_day(call.registry, call.name, DAYS))
        values["chart"] = chart(pulls, call.now // DAY, DAYS, missing=0)
    return View(template="repositories/activity.html", values=values)


async def restore(call: Call) -> Leave:
    """Bring a tag back to what it named before."""
    name, back = parse_tag(call.form.get("tag", "")), call.repository_path("activity")
    try:
        digest = await call.services.tags.restore(call.registry, call.name, name, call.by)
    except (ContentGone, ManifestUnknown, ReadOnly, TagImmutable) as error:
        return Leave(to=back, flash=Flash(text=mark("Nothing was restored."), said=error.message, failed=True))
    text = mark("The tag %(tag)s is back; it names %(digest)s.")
    return Leave(to=back, flash=Flash(text=text, values={"tag": name, "digest": digest}))


def _before(call: Call) -> int | None:
    text = call.query.get("before")
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(LONGEST_ID)) and int(text) <= LONGEST_ID:
        return int(text)
    message = Sentence("`before` must be the number of an event, the last one of the page before.")
    raise QueryInvalid(message)


ROUTES: Final = (
    Route("GET", "/repositories/{name}/-/activity", OnRepository(Action.PULL), show),
    Route("POST", "/repositories/{name}/-/tags/restore", OnRepository(Action.DELETE), restore),
)
