# SPDX-License-Identifier: Apache-2.0
"""Administration: the deployment at a glance, its settings, its background jobs, and how people sign in."""

from collections.abc import Sequence
from typing import Final

import wharfinger
from wharfinger.clock import SECOND
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import mark
from wharfinger.console.routing import Route
from wharfinger.domain.deployment import ConcernKind, Setting
from wharfinger.domain.management import Target, Task
from wharfinger.web.access import Managing

PATH: Final = "/administration"
READ: Final = Managing(Task.READ, Target.DEPLOYMENT)
MANAGE: Final = Managing(Task.MANAGE, Target.DEPLOYMENT)
CONCERNS: Final = {
    ConcernKind.OPEN: (mark("The registry is open"), mark("Everybody who reaches it may push and pull.")),
    ConcernKind.UNENCRYPTED: (
        mark("Other machines reach the registry without TLS"),
        mark("Passwords, tokens and layers can be read on the way, unless a proxy speaks TLS in front of it."),
    ),
    ConcernKind.READ_ONLY: (mark("The registry is read-only"), mark("Nothing can be pushed, changed or deleted.")),
    ConcernKind.DELETION_OFF: (mark("Deletion is off"), mark("Nobody can delete tags, manifests or repositories.")),
    ConcernKind.COLLECTION_OFF: (mark("Collection is off"), mark("What nothing needs any more is not removed.")),
    ConcernKind.VERIFICATION_OFF: (
        mark("Nothing is verified in the background"),
        mark("A disk that turns bits is noticed when a pull fails."),
    ),
    ConcernKind.UNHEALTHY: (mark("A check fails: %(about)s"), mark("%(detail)s")),
    ConcernKind.ALMOST_FULL: (
        mark("The storage of %(about)s is almost full"),
        mark("When less is free than the reserve, no upload is taken."),
    ),
    ConcernKind.FULL: (
        mark("The storage of %(about)s is full"),
        mark("No upload is taken until space is freed. Pulls and deletions go on."),
    ),
    ConcernKind.NO_JOBS: (
        mark("No background job runs"),
        mark("Nothing is collected, verified or counted. Jobs run in `wharfinger serve` or `wharfinger work`."),
    ),
    ConcernKind.JOB_FAILS: (mark("A background job fails: %(about)s"), mark("%(detail)s")),
    ConcernKind.DAMAGED: (
        mark("The last verification of %(about)s found something"),
        mark("Its page says what, and what repairs it."),
    ),
}
"""What the operator should know, as a title and a sentence."""
_URGENT: Final = {ConcernKind.UNHEALTHY, ConcernKind.FULL, ConcernKind.DAMAGED}
_LEADS_TO: Final = {
    ConcernKind.ALMOST_FULL: "storage",
    ConcernKind.FULL: "storage",
    ConcernKind.DAMAGED: "verification",
    ConcernKind.JOB_FAILS: "jobs",
    ConcernKind.NO_JOBS: "jobs",
}
OUTCOMES: Final = {"ok": mark("done"), "unavailable": mark("postponed"), "failed": mark("failed")}
_SIGN_IN: Final = ("auth.", "accounts.", "workloads.")


async def show(call: Call) -> View:
    """Show the deployment at a glance."""
    found = await call.services.premises.look()
    return View(
        template="administration/overview.html",
        values={
            "tab": "",
            "glance": found,
            "version": wharfinger.__version__,
            "concerns": [
                (*CONCERNS[one.kind], one, one.kind in _URGENT, _LEADS_TO.get(one.kind)) for one in found.concerns
            ],
        },
    )


async def show_jobs(call: Call) -> View:
    """Show the background jobs."""
    jobs = await call.services.jobs.list()
    return View(
        template="administration/jobs.html",
        values={
            "tab": "jobs",
            "jobs": jobs,
            "goes_on": any(one.is_working or one.wanted_at is not None for one in jobs),
            "outcomes": OUTCOMES,
            "second": SECOND,
            "manages": await manages(call),
        },
    )


async def run_job(call: Call) -> Leave:
    """Have a job run now."""
    found = await call.services.jobs.order(call.form.text("name"), call.by)
    said = Flash(text=mark("%(name)s runs within some seconds."), values={"name": found.name})
    return Leave(to=f"{PATH}/jobs", flash=said)


async def show_settings(call: Call) -> View:
    """Show every setting, with where it was said."""
    chosen = [one for one in call.services.premises.settings if call.query.get("all") or one.origin != "default"]
    values = {"tab": "settings", "settings": chosen, "every": bool(call.query.get("all"))}
    return View(template="administration/settings.html", values=values)


async def show_sign_in(call: Call) -> View:
    """Show how people and programs sign in, and the lines that say so."""
    return View(
        template="administration/sign_in.html",
        values={
            "tab": "sign-in",
            "providers": call.services.people.single_sign_on.providers,
            "settings": _about_sign_in(call.services.premises.settings),
            "registries": [
                await call.services.registry_switches.of(one) for one in await call.services.registries.all()
            ],
            "manages": await manages(call),
        },
    )


async def manages(call: Call) -> bool:
    """Say whether the visitor may change what these pages show."""
    return await call.can(Task.MANAGE, Target.DEPLOYMENT)


def _about_sign_in(settings: Sequence[Setting]) -> Sequence[Setting]:
    return [one for one in settings if one.key.startswith(_SIGN_IN)]


ROUTES: Final[Sequence[Route]] = (
    Route("GET", PATH, READ, show),
    Route("GET", f"{PATH}/jobs", READ, show_jobs),
    Route("POST", f"{PATH}/jobs", MANAGE, run_job),
    Route("GET", f"{PATH}/settings", READ, show_settings),
    Route("GET", f"{PATH}/sign-in", READ, show_sign_in),
)
