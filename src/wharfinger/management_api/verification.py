# SPDX-License-Identifier: Apache-2.0
"""Verification: what was verified, what was found, and having everything verified now.

A verification reads every byte, so no request waits for one: it is ordered, and the background job takes it on.
"""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Path

from wharfinger.domain.management import Target, Task
from wharfinger.domain.verification import Finding as FindingRow
from wharfinger.domain.verification import Kind, Phase
from wharfinger.management_api.calls import LONGEST_ID, Managing
from wharfinger.management_api.fields import AfterNumber, RegistryPath, Shown, Size, moment, time_of
from wharfinger.management_api.paging import PAGE, Page, page
from wharfinger.management_api.routing import Calling, Route
from wharfinger.services.verification import Report

RunPath = Annotated[
    int, Path(description="The number of a verification, as lists show it.", ge=1, le=LONGEST_ID, examples=[3])
]


class VerificationTally(Shown):
    """How much was looked at."""

    blobs: int
    bytes: int
    manifests: int
    tags: int
    objects: int
    """Keys of the store."""
    healed: int
    """What had been found bad before, is sound again, and is served again."""


class Verification(Shown):
    """Where a verification stands."""

    id: int
    scope: str
    """What is verified; `background` comes before what no shell asked for."""
    phase: Phase
    """What is looked at now."""
    is_working: bool
    """Whether a process is at it now. One that is not done and not worked on goes on with the next start."""
    is_stopped: bool
    """Whether somebody had it stopped. One in the background goes on when it is ordered again, another with the next
    `wharfinger verify` of the same scope."""
    checked: VerificationTally
    findings: int
    started_at: datetime
    finished_at: datetime | None


class Finding(Shown):
    """One thing that is wrong."""

    id: int
    kind: Kind
    what: str
    """A digest, `NAME@DIGEST`, `NAME:TAG`, or a key of the store."""
    detail: str
    remedy: str
    """What would repair it."""


async def list_verifications(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    size: Size = PAGE,
    last: AfterNumber = None,
) -> Page[Verification]:
    """List the verifications of a registry, the newest first; of the same scope only the last are remembered."""
    found = await call.services.verification.list(call.registry, last, size)
    return page(call, found, key=lambda one: one.run.id, show=_show)


async def order_verification(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
) -> Verification:
    """Have everything in a registry verified: the background job begins within a minute.

    One that goes on already is the answer, and one that was stopped goes on. For a part of it, or without a limit of
    the rate, there is `wharfinger verify`.
    """
    return _show(await call.services.verification.order(call.registry, call.by))


async def read_verification(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    run: RunPath,
) -> Verification:
    """Show where a verification stands."""
    return _show(await call.services.verification.get(call.registry, run))


async def stop_verification(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    run: RunPath,
) -> Verification:
    """Have a verification stopped, in whichever process it goes on; within some seconds nobody works on it.

    What was done is kept: the next start goes on there. One that has ended stays as it is.
    """
    return _show(await call.services.verification.stop(call.registry, run, call.by))


async def list_findings(
    call: Calling,
    registry: RegistryPath,  # noqa: ARG001 - the call has it
    run: RunPath,
    size: Size = PAGE,
    last: AfterNumber = None,
) -> Page[Finding]:
    """List what a verification found, in the order in which it was found."""
    found = await call.services.verification.page_of_findings(call.registry, run, last, size)
    return page(call, found, key=lambda one: one[0], show=lambda one: _show_finding(*one))


def _show(report: Report) -> Verification:
    run, tally = report.run, report.run.tally
    return Verification(
        id=run.id,
        scope=run.scope,
        phase=run.phase,
        is_working=report.is_working,
        is_stopped=report.is_stopped,
        checked=VerificationTally(
            blobs=tally.blobs,
            bytes=tally.bytes,
            manifests=tally.manifests,
            tags=tally.tags,
            objects=tally.objects,
            healed=tally.healed,
        ),
        findings=report.findings,
        started_at=time_of(run.started_at),
        finished_at=moment(run.finished_at),
    )


def _show_finding(number: int, one: FindingRow) -> Finding:
    return Finding(id=number, kind=one.kind, what=one.what, detail=one.detail, remedy=one.remedy)


_READ: Final = Managing(Task.READ, Target.REGISTRY)
_ALL: Final = "/registries/{registry}/verifications"
_ONE: Final = _ALL + "/{run}"
ROUTES: Final = (
    Route("GET", _ALL, _READ, list_verifications),
    Route("POST", _ALL, Managing(Task.MANAGE, Target.REGISTRY), order_verification, status=202, conflicts=True),
    Route("GET", _ONE, _READ, read_verification),
    Route("POST", _ONE + "/stop", Managing(Task.MANAGE, Target.REGISTRY), stop_verification),
    Route("GET", _ONE + "/findings", _READ, list_findings),
)
