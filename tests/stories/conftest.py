# SPDX-License-Identifier: Apache-2.0
"""The furnished registry that stories share: a story makes what it changes for itself."""

import pytest

from tests.console.conftest import chromium
from tests.stories.town import opened

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("town")) as one:
        yield one
