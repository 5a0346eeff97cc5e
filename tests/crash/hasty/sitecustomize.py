# SPDX-License-Identifier: Apache-2.0
"""Gives a server under test little time: what waits for minutes and hours in the product waits for seconds here.

Python imports this by its name, in each process, at start. `NODE` is what the machine is called, so that two nodes on
one machine are two; `CLAIM` is how many seconds a process that died keeps work from others.
"""

import os
import socket
from datetime import timedelta

from wharfinger.clock import SECOND
from wharfinger.services import (
    collection,
    ingest,
    repositories,
    restoring,
    reviews,
    verification,
    verification_steps,
)
from wharfinger.settings import values
from wharfinger.workers import runner

NODE = os.environ["NODE"]
BURY_DELAY = 2 * SECOND
"""A pull that has begun has its file open within that."""
REVIEW_DELAY = SECOND
"""How much later something is looked at that may not be needed any more."""
LEASE = 8 * SECOND
"""Of what is restored."""
CLAIM = int(float(os.environ["CLAIM"]) * SECOND)

socket.gethostname = lambda: NODE
os.setpriority = lambda *_: None  # jobs that give way to all else on a busy machine are hardly in anybody's way
values._LEAST_GRACE = timedelta(0)
runner._FIRST_DELAY = 0.5
for module in (ingest, reviews):
    module.BURY_DELAY = BURY_DELAY
repositories.REVIEW_DELAY = REVIEW_DELAY
restoring.LEASE = LEASE
for module in (collection, reviews, verification, verification_steps):
    module.CLAIM = CLAIM
reviews._FIRST_PAUSE = collection._FIRST_PAUSE = SECOND
verification_steps._RENEW_SECONDS = CLAIM / SECOND / 3
