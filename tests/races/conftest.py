# SPDX-License-Identifier: Apache-2.0
"""Races are run over real rows and bytes: each database with another store."""

import pytest

from tests.races.meetings import Meeting
from tests.services.conftest import node, templates, world

__all__ = ["node", "templates", "world"]


@pytest.fixture
def meeting(world):
    """Return what forces two transactions into an order."""
    return Meeting(world)
