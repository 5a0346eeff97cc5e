# SPDX-License-Identifier: Apache-2.0
"""Every page. A new one is a row in `ROUTES` of its module, and a new module is a name here."""

from typing import Final

from wharfinger.console.pages import (
    access,
    accounts,
    activity,
    administration,
    audit,
    comparison,
    descriptions,
    grants,
    inspection,
    members,
    organizations,
    profile,
    reach,
    repositories,
    repository,
    repository_settings,
    retention,
    robots,
    search,
    sign_in,
    tag_restoration,
    teams,
    trash,
    trust,
    upkeep,
    users,
)
from wharfinger.console.routing import Route, Table

ROUTES: Final[tuple[Route, ...]] = (
    *repositories.ROUTES,
    *search.ROUTES,
    *accounts.ROUTES,
    *repository.ROUTES,
    *descriptions.ROUTES,
    *activity.ROUTES,
    *reach.ROUTES,
    *repository_settings.ROUTES,
    *retention.ROUTES,
    *inspection.ROUTES,
    *tag_restoration.ROUTES,
    *comparison.ROUTES,
    *sign_in.ROUTES,
    *profile.ROUTES,
    *trash.ROUTES,
    *administration.ROUTES,
    *upkeep.ROUTES,
    *audit.ROUTES,
    *users.ROUTES,
    *access.ROUTES,
    *organizations.ROUTES,
    *members.ROUTES,
    *teams.ROUTES,
    *robots.ROUTES,
    *grants.ROUTES,
    *trust.ROUTES,
)
TABLE: Final = Table(ROUTES)
