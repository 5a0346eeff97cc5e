# SPDX-License-Identifier: Apache-2.0
"""What several tests of the outbound floor need."""

import pytest

from tests.outbound.peers import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Who signs the certificates of the other side."""
    return Authority(tmp_path_factory.mktemp("authority"))
