# SPDX-License-Identifier: Apache-2.0
"""The registry of a test, with nothing in it."""

import pytest

from tests.console.registry import Site


@pytest.fixture
async def site(tmp_path):
    async with Site(tmp_path) as one:
        yield one
