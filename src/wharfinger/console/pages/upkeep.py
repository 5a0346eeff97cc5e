# SPDX-License-Identifier: Apache-2.0
"""Upkeep of what is stored: how much there is and how it grows, what collection removes, and whether all is sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import DAY
from wharfinger.console.calls import Call, Leave, View
from wharfinger.console.charts import Chart, chart
from wharfinger.console.flashes import Flash
from wharfinger.console.languages import Several, mark
from wharfinger.console.pages.administration import MANAGE, PATH, READ, manages
from wharfinger.console.routing import Route
from wharfinger.domain.errors import QueryInvalid, Unavailable
from wharfinger.domain.sentences import Sentence
from wharfinger.domain.verification import Phase
from wharfinger.services.figures import Figure, Holdings
from wharfinger.services.jobs import JobRow
from wharfinger.services.registries import Registry
from wharfinger.services.rounds import Round, together
from wharfinger.services.verification import Report
from wharfinger.web.access import parse_number

SPANS: Final = (30, 90, 365)
_LARGEST: Final = 25
_RUNS: Final = 20
_FINDINGS: Final = 100
_MOST_ROUNDS: Final = 20
"""In one request: what is left then is due again, and the page says so."""
PHASES: Final = {
    Phase.DATABASE: mark("database"),
    Phase.BLOBS: mark("blobs"),
    Phase.MANIFESTS: mark("manifests"),
    Phase.TAGS: mark("tags"),
    Phase.STORE: mark("storage"),
    Phase.DONE: mark("done"),
}
WAITING: Final = {"manifest": mark("Manifests"), "blob": mark("Blobs"), "burial": mark("Bytes to remove")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What one registry holds.

    Args:
        name: of the registry.
        holdings: what it holds now; nothing where its storage does not answer.
        is_chosen: whether the page is about it.
    """

    name: str
    holdings: Holdings | None
    is_chosen: bool


async def show_storage(call: Call) -> View:
    """Show what the registries hold, how it grew, and the largest repositories of one of them."""
    chosen = await _chosen(call)
    days = _span(call)
    figures = await call.services.figures.by_day(chosen, days)
    today = call.now // DAY
    shelves = [await _shelf(call, one, chosen) for one in await call.services.registries.all()]
    return View(
        template="administration/storage.html",
        values={
            "tab": "storage",
            "shelves": shelves,
            "chosen": next(one for one in shelves if one.is_chosen),
            "spans": SPANS,
            "days": days,
            "bytes": _drawn(figures, "bytes", today, days),
            "blobs": _drawn(figures, "blobs", today, days),
            "pulls": chart({one.day: one.pulls for one in figures}, today, days, missing=0),
            "largest": await call.services.figures.largest(chosen, None, _LARGEST),
        },
    )


async def show_collection(call: Call) -> View:
    """Show what waits to be collected and why, and what will be freed when."""
    jobs = await _collecting(call)
    return View(
        template="administration/collection.html",
        values={
            "tab": "collection",
            "outlook": await call.services.outlooks.get(),
            "standing_still": call.services.reviews.standing_still(),
            "jobs": jobs,
            "goes_on": any(one.is_working or one.wanted_at is not None for one in jobs),
            "waiting": WAITING,
            "manages": await manages(call),
        },
    )


async def collect(call: Call) -> Leave:
    """Collect now, some rounds, and say what came of it; background jobs go on with the rest, which the page shows."""
    whole = Round()
    for _ in range(_MOST_ROUNDS):
        done = await call.services.rounds.run()
        whole = together(whole, done)
        if not done.steps or done.standing_still is not None:
            break
    else:
        for job in await _collecting(call):
            await call.services.jobs.order(job.name, call.by)
    waiting = sum([one.size for one in (await call.services.outlooks.get()).waiting])
    return Leave(to=f"{PATH}/collection", flash=_told(whole, waiting))


async def show_verifications(call: Call) -> View:
    """Show the verifications of a registry: the one that goes on, and those before it."""
    chosen = await _chosen(call)
    found = await call.services.verification.list(chosen, None, _RUNS)
    return View(
        template="administration/verifications.html",
        values={
            "tab": "verification",
            "registry_name": chosen.name,
            "names": [one.name for one in await call.services.registries.all()],
            "runs": found.items,
            "going": next((one for one in found.items if not one.is_complete), None),
            "phases": PHASES,
            "manages": await manages(call),
        },
    )


async def show_verification(call: Call) -> View:
    """Show one verification with what it found."""
    chosen, number = await _named(call)
    last = parse_number(call.query["last"]) if call.query.get("last") else None
    report = await call.services.verification.get(chosen, number)
    return View(
        template="administration/verification.html",
        values={
            "tab": "verification",
            "registry_name": chosen.name,
            "report": report,
            "findings": await call.services.verification.page_of_findings(chosen, number, last, _FINDINGS),
            "first": last is None,
            "phases": PHASES,
            "manages": await manages(call),
        },
    )


async def verify(call: Call) -> Leave:
    """Have everything verified now."""
    chosen = await call.services.registries.named(call.form.text("registry"))
    report = await call.services.verification.order(chosen, call.by)
    said = Flash(text=mark("The verification begins within a minute. It goes on while you do something else."))
    return Leave(to=_path(chosen, report), flash=said)


async def stop_verification(call: Call) -> Leave:
    """Have a verification stopped."""
    chosen, number = await _named(call)
    report = await call.services.verification.stop(chosen, number, call.by)
    if report.is_stopped:
        said = Flash(
            text=mark("It stops within some seconds. What was done is kept, and the next start goes on there.")
        )
    else:
        said = Flash(text=mark("It has ended already."))
    return Leave(to=_path(chosen, report), flash=said)


_COLLECTING: Final = {"bury", "review manifests", "review blobs", "collect repositories"}


async def _collecting(call: Call) -> Sequence[JobRow]:
    """Return the jobs of collection."""
    return [one for one in await call.services.jobs.list() if one.name in _COLLECTING]


async def _chosen(call: Call) -> Registry:
    """Return the registry that the query names, or the host's own."""
    name = call.query.get("registry")
    return call.registry if not name else await call.services.registries.named(name)


async def _named(call: Call) -> tuple[Registry, int]:
    """Return the registry and the number of the verification that the path names."""
    return await call.services.registries.named(call.parameters["registry"]), int(call.parameters["number"])


def _path(registry: Registry, report: Report) -> str:
    return f"{PATH}/verification/{registry.name}/{report.run.id}"


def _span(call: Call) -> int:
    text = call.query.get("days", str(SPANS[0]))
    if text not in {str(one) for one in SPANS}:
        message = Sentence("`days` must be one of %(known)s.", known=", ".join(str(one) for one in SPANS))
        raise QueryInvalid(message)
    return int(text)


def _drawn(figures: Sequence[Figure], name: str, today: int, days: int) -> Chart:
    return chart({one.day: getattr(one, name) for one in figures}, today, days)


async def _shelf(call: Call, registry: Registry, chosen: Registry) -> Shelf:
    try:
        holdings: Holdings | None = await call.services.figures.holdings(registry)
    except Unavailable:
        holdings = None
    return Shelf(name=registry.name, holdings=holdings, is_chosen=registry.id == chosen.id)


def _told(whole: Round, waiting: int) -> Flash:
    if whole.standing_still is not None:
        return Flash(text=mark("Nothing is collected now."), said=whole.standing_still, failed=True)
    if not whole.steps:
        return Flash(text=mark("Nothing was due."))
    return Flash(
        text=mark(
            "Looked at %(looked_at)s; removed %(manifests)s, %(blobs)s and %(repositories)s. Freed: %(freed)s. To be "
            "freed within an hour: %(waiting)s."
        ),
        values={
            "looked_at": whole.looked_at,
            "manifests": Several("%(num)s manifest", "%(num)s manifests", whole.manifests),
            "blobs": Several("%(num)s blob", "%(num)s blobs", whole.blobs),
            "repositories": Several("%(num)s repository", "%(num)s repositories", whole.repositories),
            "freed_bytes": whole.freed,
            "waiting_bytes": waiting,
        },
    )


_RUN: Final = f"{PATH}/verification/{{registry}}/{{number}}"
ROUTES: Final[Sequence[Route]] = (
    Route("GET", f"{PATH}/storage", READ, show_storage),
    Route("GET", f"{PATH}/collection", READ, show_collection),
    Route("POST", f"{PATH}/collection", MANAGE, collect),
    Route("GET", f"{PATH}/verification", READ, show_verifications),
    Route("POST", f"{PATH}/verification", MANAGE, verify),
    Route("GET", _RUN, READ, show_verification),
    Route("POST", f"{_RUN}/stop", MANAGE, stop_verification),
)
