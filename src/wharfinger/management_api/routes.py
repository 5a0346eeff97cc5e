# SPDX-License-Identifier: Apache-2.0
"""Every endpoint of this door. A new resource is a file with `ROUTES`, and a name here.

Order counts where a repository's name, which has slashes, could swallow what follows it: `/-/` comes first.
"""

from typing import Final

from wharfinger.management_api import (
    access,
    collection,
    credentials,
    demands,
    deployment,
    descriptions,
    events,
    external_identities,
    figures,
    grants,
    jobs,
    manifests,
    me,
    namespaces,
    organizations,
    pulls,
    reach,
    registries,
    repositories,
    retention,
    robots,
    search,
    stars,
    tags,
    team_mappings,
    teams,
    trash,
    trust,
    users,
    verification,
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
    *manifests.ROUTES,
    *pulls.ROUTES,
    *descriptions.ROUTES,
    *stars.ROUTES,
    *reach.ROUTES,
    *retention.ROUTES,
    *trash.ROUTES,
    *collection.ROUTES,
    *verification.ROUTES,
    *figures.ROUTES,
    *jobs.ROUTES,
    *trust.ROUTES,
    *events.ROUTES,
    *search.ROUTES,
    *repositories.ROUTES,
)
