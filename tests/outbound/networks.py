# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: ARG002, ASYNC109 - httpcore's interface
"""Networks for virtual time, on which answers drip and addresses never answer."""

import asyncio

import httpcore


class Drip(httpcore.AsyncNetworkBackend):
    """A network on which one byte of an answer arrives after each pause."""

    def __init__(self, content, pause):
        self.content = content
        self.pause = pause
        self.open = 0
        self.tried = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.tried.append(host)
        self.open += 1
        return _DripStream(self)


class Swallowing(Drip):
    """A network on which some addresses never answer, not even with a refusal."""

    def __init__(self, content, pause, swallowed):
        super().__init__(content, pause)
        self._swallowed = swallowed

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        if host not in self._swallowed:
            return await super().connect_tcp(host, port)
        self.tried.append(host)
        await asyncio.sleep(timeout)
        raise httpcore.ConnectTimeout


class _DripStream(httpcore.AsyncNetworkStream):
    def __init__(self, network):
        self._network = network
        self._left = iter(network.content)
        self._is_open = True

    async def read(self, max_bytes, timeout=None):
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(self._network.pause)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        return bytes([next(self._left)])

    async def write(self, buffer, timeout=None):
        pass

    async def aclose(self):
        self._network.open -= self._is_open
        self._is_open = False
