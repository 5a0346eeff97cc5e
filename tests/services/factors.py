# SPDX-License-Identifier: Apache-2.0
"""Second factors on a node, and what people show there."""

from dataclasses import dataclass

from tests.services.signing import MATERIAL
from wharfinger.clock import SECOND
from wharfinger.security import totp
from wharfinger.security.envelope import Envelope
from wharfinger.services.factor_checks import FactorChecks
from wharfinger.services.passwords import AccountPasswords
from wharfinger.services.sealing import Sealing
from wharfinger.services.second_factors import SecondFactors
from wharfinger.services.second_steps import SecondSteps

URL = "https://registry.test"


@dataclass(frozen=True)
class Factors:
    """What signs people in with second factors in one process."""

    held: SecondFactors
    steps: SecondSteps
    passwords: AccountPasswords


def factors_of(clock, node, *, material=MATERIAL, required=False):
    sealing = Sealing(clock, lambda: Envelope([material]))
    checks = FactorChecks(node.database, clock, sealing, node.refusals)
    passwords = AccountPasswords(node.database, node.accounts, clock, node.refusals)
    held = SecondFactors(
        database=node.database, clock=clock, sealing=sealing, checks=checks, passwords=passwords, required=required
    )
    return Factors(held, SecondSteps(node.database, clock, sealing, checks), passwords)


def code_of(clock, secret, away=0):
    """Return what an app with this secret shows, some steps away from now."""
    return totp.code_at(secret, clock.now() // SECOND // 30 + away)


async def add_app(clock, held, by, name="ann", **more):
    """Set up an app; return its secret and what came of it."""
    new = await held.begin_app(name, "registry.test")
    added = await held.add_app(name, "phone", new.sealed, code_of(clock, new.secret), by, **more)
    return new.secret, added


async def add_passkey(held, authenticator, by, name="ann", **more):
    new = await held.begin_passkey(name, URL)
    return await held.add_passkey(name, "stick", new.sealed, authenticator.make(new.options), by, **more)
