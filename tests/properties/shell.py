# SPDX-License-Identifier: Apache-2.0
"""What an operator does from the shell, without starting a process for each command: the same services, here."""

import asyncio
import threading
from pathlib import Path

from wharfinger import bootstrap
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.identity import Actor, Principal
from wharfinger.settings import load

OPERATOR = Actor(principal=Principal(name="operator (shell)"))


class Shell:
    """One more process over the data of a running registry.

    Args:
        environment: the registry's own.
    """

    def __init__(self, environment):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._deployment = bootstrap.build(load(None, environment).settings)
        self.services = self._deployment.services
        self.registry = self.services.registries.default

    def run(self, method, *arguments, **more):
        """Call a method of a service as the operator; return what it returns, or the name of its error."""
        try:
            work = method(self.registry, *arguments, **more)
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
        except WharfingerError as error:
            return type(error).__name__

    def collect(self):
        """Do what background jobs do, until nothing is due."""

        async def work():
            reviews = self.services.reviews
            steps = (reviews.sweep, reviews.review_manifests, reviews.collect_repositories, reviews.review_blobs)
            while any([await step(100) for step in steps]):
                pass
            await self.services.collection.bury(100)

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(60)

    def close(self):
        """End it."""
        asyncio.run_coroutine_threadsafe(self._deployment.aclose(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)


def configured(environment):
    """Return the variables of a server's environment that are settings."""
    return {name: str(value) for name, value in environment.items() if name.startswith("REGISTRY_")} | {
        "PWD": str(Path.cwd())
    }
