# SPDX-License-Identifier: Apache-2.0
"""The client of a process, made as the operator's settings say, with an issuer that speaks TLS on loopback."""

import asyncio
import contextlib

import pytest

from tests.outbound.test_outbound_issuers import Issuer
from wharfinger.clock import Clock
from wharfinger.domain.errors import OutboundFailed, OutboundRefused
from wharfinger.outbound.shared import SharedClient

HOST = "127.0.0.1"


class LoopbackIssuer(Issuer):
    """An issuer whose name is its address, as clusters without names have it."""

    def url(self, path="/", host=HOST):
        return super().url(path, host)


@contextlib.contextmanager
def shared(*allow, ports=(), authorities=None):
    made = SharedClient(allow, ports, authorities, Clock())
    with contextlib.closing(made):
        yield made


@pytest.mark.parametrize("how", ["host", "network and port"])
async def test_a_private_issuer_is_asked_where_the_operator_says_so(authority, how):
    async with LoopbackIssuer("k1", tls=authority.context(HOST)) as issuer:
        words, ports = ([HOST], ()) if how == "host" else (["127.0.0.0/8"], (issuer.port,))
        with shared(*words, ports=ports, authorities=authority.file) as client:
            assert [key["kid"] for key in await client.keys(issuer.name)] == ["k1"]


async def test_a_private_issuer_is_not_asked_otherwise(authority):
    async with LoopbackIssuer("k1", tls=authority.context(HOST)) as issuer:
        with shared(authorities=authority.file) as client, pytest.raises(OutboundRefused):
            await client.keys(issuer.name)
        with shared(HOST) as client, pytest.raises(OutboundFailed, match="certificate"):
            await client.keys(issuer.name)
        assert issuer.asked == 0


async def test_the_client_is_made_once_and_only_when_it_is_needed(monkeypatch):
    made = []
    plain = SharedClient._make
    monkeypatch.setattr(SharedClient, "_make", lambda self: made.append(1) or plain(self))
    with shared() as client:
        assert made == []
        first, second = await asyncio.gather(client.client(), client.client())
        assert first is second
    assert made == [1]
