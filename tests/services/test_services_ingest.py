# SPDX-License-Identifier: Apache-2.0
import weakref

import pytest

from tests.services.world import ACTOR, ANY, NAME

# A store in memory does not keep a batch in a thread for a moment longer than it needs it.
pytestmark = pytest.mark.parametrize("world", ["sqlite-memory", "postgresql-memory"], indirect=True)


class Batch(list):
    """A batch whose life can be watched."""


async def test_a_batch_is_gone_before_the_next_one_is_gathered(node):
    """Two batches in memory would be twice what a request is promised to take."""
    batches, alive = [], []

    async def body():
        for number in range(4):
            alive.append([batch() for batch in batches if batch() is not None])
            batch = Batch([b"%d" % number])
            batches.append(weakref.ref(batch))
            yield batch
            del batch

    upload = await node.uploads.start(node.registry, NAME, None, ACTOR)
    status = await node.uploads.append(node.registry, NAME, upload.id, ANY, body())
    assert status.offset == 4
    assert alive == [[], [], [], []]
