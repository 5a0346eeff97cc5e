# SPDX-License-Identifier: Apache-2.0
"""What signs people in on a node: with a secret of the tests', and with hashes that cost little."""

from dataclasses import dataclass

from tests.services.world import ACTOR
from wharfinger.clock import DAY, after
from wharfinger.domain.access import Mode
from wharfinger.domain.accounts import CredentialKind
from wharfinger.domain.errors import OutboundFailed
from wharfinger.metadata.credentials import NewCredential
from wharfinger.security import tokens as secret_tokens
from wharfinger.security.envelope import Envelope
from wharfinger.security.passwords import Passwords
from wharfinger.security.tokens import TokenKind
from wharfinger.services.authorization import Authorization
from wharfinger.services.passwords import AccountPasswords
from wharfinger.services.sign_in import AccountIdentity
from wharfinger.services.tokens import Tokens
from wharfinger.services.trust import TrustRules

MATERIAL = b"the operator's secret, of 32 bytes or more"
KINDS = {
    TokenKind.PERSONAL: CredentialKind.TOKEN,
    TokenKind.ACCESS_KEY: CredentialKind.KEY,
    TokenKind.REFRESH: CredentialKind.REFRESH,
}


class CheapPasswords(Passwords):
    """Hashes with little memory, and counts how often it compared."""

    compared = 0
    with_nobody = 0

    def __init__(self):
        super().__init__(memory=64)

    def verify(self, stored, password):
        type(self).compared += 1
        return super().verify(stored, password)

    def verify_nobody(self, password):
        type(self).with_nobody += 1
        return super().verify_nobody(password)


def tokens_of(world, database, material=MATERIAL):
    """Return what issues and verifies registry tokens in one process."""
    return Tokens(database, world.clock, Authorization(database, Mode.ACCOUNTS), lambda: Envelope([material]))


async def no_keys(issuer, _kid):
    """Answer as the keys of an issuer that is down."""
    message = f"{issuer} cannot be reached."
    raise OutboundFailed(message)


def trust_of(world, node, keys=no_keys):
    """Return the trust rules as one process has them."""
    return TrustRules(node.database, world.clock, keys)


def identity_of(world, node, *, mode=Mode.ACCOUNTS, password_login=True, keys=no_keys):
    """Return what recognises accounts in one process."""
    return AccountIdentity(
        database=node.database,
        accounts=node.accounts,
        credentials=node.credentials,
        tokens=tokens_of(world, node.database),
        trust=trust_of(world, node, keys),
        authorization=Authorization(node.database, mode),
        registry=node.registry,
        clock=world.clock,
        passwords=AccountPasswords(node.database, node.accounts, world.clock, node.refusals),
        refusals=node.refusals,
        demands=node.demands,
        password_login=password_login,
    )


@dataclass(frozen=True)
class Secret:
    """A credential that was made, as its owner holds it."""

    id: int
    text: str
    public_id: str | None


async def secret(world, node, name, kind=TokenKind.PERSONAL, *, days=30, **more):
    """Make a credential of an account."""
    made = secret_tokens.make(kind)
    public_id = secret_tokens.make_access_key_id() if kind is TokenKind.ACCESS_KEY else None
    new = NewCredential(
        kind=KINDS[kind],
        name="laptop",
        fingerprint=made.fingerprint,
        hint=made.ending,
        public_id=public_id,
        expires_at=after(world.clock.now(), days * DAY),
        **more,
    )
    return Secret(await node.credentials.create(name, new, ACTOR), made.text, public_id)
