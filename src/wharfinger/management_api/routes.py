# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of this door. A new resource is a file with `ROUTES`, and a name here.

Order counts where a repository's name, which has slashes, could swallow what follows it: `/-/` comes first.
"""

from typing import Final

from wharfinger.management_api import (
    access,
    credentials,
    demands,
    deployment,
    events,
    external_identities,
    grants,
    me,
    namespaces,
    organizations,
    registries,
    repositories,
    robots,
    tags,
    team_mappings,
    teams,
    trust,
    users,
)
from wharfinger.management_api.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *deployment.ROUTES,
    *me.ROUTES,
    *users.ROUTES,
    *external_identities.ROUTES,
    *organizations.ROUTES,
    *teams.ROUTES,
    *team_mappings.ROUTES,
    *demands.ROUTES,
    *robots.ROUTES,
    *credentials.ROUTES,
    *grants.ROUTES,
    *access.ROUTES,
    *registries.ROUTES,
    *namespaces.ROUTES,
    *tags.ROUTES,
    *trust.ROUTES,
    *events.ROUTES,
    *repositories.ROUTES,
)
