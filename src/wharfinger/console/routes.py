# SPDX-License-Identifier: Apache-2.0
"""Every page. A new one is a row in `ROUTES` of its module, and a new module is a name here."""

from typing import Final

from wharfinger.console.pages import profile, repositories, sign_in, trash
from wharfinger.console.routing import Route, Table

ROUTES: Final[tuple[Route, ...]] = (
    *repositories.ROUTES,
    *sign_in.ROUTES,
    *profile.ROUTES,
    *trash.ROUTES,
)
TABLE: Final = Table(ROUTES)
