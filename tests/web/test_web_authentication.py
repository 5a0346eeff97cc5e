# SPDX-License-Identifier: Apache-2.0
"""The entrance: what an `Authorization` header shows, and how a request that shows too little is asked for more."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.scopes import scope
from wharfinger.domain.access import Access, Action
from wharfinger.domain.errors import CredentialInvalid, Denied, HeaderInvalid, TokenTooNarrow, Unauthenticated
from wharfinger.domain.identity import ANONYMOUS, Principal
from wharfinger.domain.names import RepositoryName
from wharfinger.services.identity import Bearer, Password
from wharfinger.web.authentication import Entrance, basic_challenge, bearer_challenge, read_authorization
from wharfinger.web.requests import Visit, read_headers

APP = RepositoryName("acme/app")
NOBODY = Unauthenticated("Sign in.")


def basic(text, scheme="Basic"):
    encoded = base64.b64encode(text if isinstance(text, bytes) else text.encode())
    return scheme.encode() + b" " + encoded


def visit(**headers):
    named = {name.encode(): value for name, value in headers.items()}
    return Visit("r-1", "/v2/", "192.0.2.1", "https", {b"host": b"registry.test", **named})


class Porter:
    """An identity that knows one name and notes what it is shown."""

    def __init__(self, *, is_open=False):
        self.shown = []
        self._is_open = is_open

    async def is_open(self):
        return self._is_open

    async def recognise(self, shown, _origin, _registry):
        self.shown.append(shown)
        return ANONYMOUS if shown is None else Principal(name="ann")


def test_without_the_header_nothing_is_shown():
    assert read_authorization(None) is None


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_a_name_and_a_password_whatever_the_case_of_the_scheme(scheme):
    assert read_authorization(basic("ann:right", scheme)) == Password("ann", "right")


@pytest.mark.parametrize(
    ("text", "name", "secret"),
    [("ann:a:b:", "ann", "a:b:"), ("ann:", "ann", ""), (":right", "", "right"), ("김:비밀번호", "김", "비밀번호"),
     ("ann: right ", "ann", " right "), ("a b:c", "a b", "c"), ("ann:a\0b", "ann", "a\0b"), ("ann:\n", "ann", "\n"),
     ("<token>:x", "<token>", "x")],
)  # fmt: skip
def test_the_first_colon_ends_the_name_and_the_password_is_taken_as_it_is(text, name, secret):
    assert read_authorization(basic(text)) == Password(name, secret)


@given(st.text(st.characters(categories=["L", "N"])), st.text())
def test_every_password_arrives(name, secret):
    text = f"{name}:{secret}".encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:
        with pytest.raises(CredentialInvalid):
            read_authorization(basic(text))
    else:
        assert read_authorization(basic(text)) == Password(name, secret)


@pytest.mark.parametrize("header", [b"Basic  YW5uOng=", b"Basic YW5uOng= ", b"Basic \tYW5uOng="])
def test_space_around_what_is_shown_is_no_part_of_it(header):
    assert read_authorization(header) == Password("ann", "x")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token(scheme):
    assert read_authorization(f"{scheme} a.b-c_d~e+f/g=".encode()) == Bearer("a.b-c_d~e+f/g=")


@pytest.mark.parametrize(
    "header",
    [b"", b" ", b"Basic", b"Basic ", b"Basic !!!", b"Basic YW5u", b"Basic YW5uOng", b"Basic YW5u Ong=",
     basic(b"ann:\xff"), basic(b"\xc3:x"), basic("an\0n:x"), basic("an\nn:x"), basic("an\x1b[2Jn:x"),
     basic("an\u202en:x"), "Basic 김".encode(), b"Basic\tYW5uOng=", b"YW5uOng=",
     b"Bearer", b"Bearer ", b"Bearer a b", "Bearer é".encode(), b"Digest username=ann", b"Negotiate YII="],
)  # fmt: skip
def test_what_cannot_be_read_is_an_error_and_never_nothing(header):
    """K03 of the corpus, and its neighbours."""
    with pytest.raises(CredentialInvalid) as refusal:
        read_authorization(header)
    assert "Authorization header" in refusal.value.message
    assert "YW5u" not in refusal.value.message


def test_a_password_of_a_megabyte_is_read_and_left_to_the_identity():
    """K05 of the corpus; the identity refuses it before it hashes anything."""
    assert read_authorization(basic("ann:" + "x" * 2**20)).secret == "x" * 2**20


def test_two_headers_are_an_error():
    """K07 of the corpus: two readers could each believe another one."""
    pair = [("Authorization", basic("ann:a").decode()), ("authorization", basic("bob:b").decode())]
    with pytest.raises(HeaderInvalid, match="authorization comes twice"):
        read_headers(scope("/v2/", headers=pair))


async def test_the_entrance_hands_on_what_is_shown():
    porter = Porter()
    entrance = Entrance(porter, basic_challenge("Wharfinger"))
    assert await entrance.recognise(visit()) is ANONYMOUS
    assert (await entrance.recognise(visit(authorization=basic("ann:right")))).name == "ann"
    assert porter.shown == [None, Password("ann", "right")]


async def test_what_cannot_be_read_is_refused_unless_nobody_is_asked():
    header = visit(authorization=b"Basic !!!")
    with pytest.raises(CredentialInvalid):
        await Entrance(Porter(), basic_challenge("Wharfinger")).recognise(header)
    assert await Entrance(Porter(is_open=True), basic_challenge("Wharfinger")).recognise(header) is ANONYMOUS


@pytest.mark.parametrize("name", ["x-forwarded-user", "x-remote-user", "remote-user", "proxy-authorization"])
async def test_a_name_in_another_header_grants_nothing(name):
    entrance = Entrance(Porter(), basic_challenge("Wharfinger"))
    assert await entrance.recognise(visit(**{name: basic("ann:right")})) is ANONYMOUS


@pytest.mark.parametrize(
    ("realm", "shown"),
    [("Wharfinger", "Wharfinger"), ("basic-realm", "basic-realm"), ('a "b" \\c', 'a \\"b\\" \\\\c'), ("", ""),
     ("a\r\nX-Evil: 1", "a??X-Evil: 1"), ("팀", "?")],
)  # fmt: skip
def test_a_password_is_asked_for_with_the_realm_in_quotes(realm, shown):
    headers = Entrance(Porter(), basic_challenge(realm)).challenge(visit(), Access(Action.VISIT), NOBODY)
    assert headers == {"WWW-Authenticate": f'Basic realm="{shown}", charset="UTF-8"'}


@pytest.mark.parametrize(
    ("access", "error", "rest"),
    [(Access(Action.VISIT), NOBODY, ""),
     (Access(Action.PULL, APP), NOBODY, ',scope="repository:acme/app:pull"'),
     (Access(Action.PUSH, APP), NOBODY, ',scope="repository:acme/app:pull,push"'),
     (Access(Action.DELETE, APP), NOBODY, ',scope="repository:acme/app:delete"'),
     (Access(Action.LIST), NOBODY, ',scope="registry:catalog:*"'),
     (Access(Action.VISIT), CredentialInvalid("Wrong."), ',error="invalid_token"'),
     (Access(Action.PULL, APP), TokenTooNarrow("Narrow."),
      ',scope="repository:acme/app:pull",error="insufficient_scope"')],
)  # fmt: skip
def test_a_token_is_asked_for_with_where_to_get_it_and_for_what(access, error, rest):
    challenge = bearer_challenge(
        lambda visit, _registry: f"{visit.scheme}://tokens.test/token", lambda _registry: "registry.test"
    )
    (value,) = Entrance(Porter(), challenge).challenge(visit(), access, error).values()
    assert value == f'Bearer realm="https://tokens.test/token",service="registry.test"{rest}'


@pytest.mark.parametrize("header", [basic("ann:right"), b"Bearer token"])
async def test_nobody_signs_in_where_others_read_along(header):
    porter = Porter()
    entrance = Entrance(porter, basic_challenge("registry"))
    with pytest.raises(Denied, match=r"not encrypted: use https"):
        await entrance.recognise(replace(visit(authorization=header), is_private=False))
    assert (await entrance.recognise(visit(authorization=header))).name == "ann"


async def test_a_password_that_others_read_is_not_even_looked_at():
    porter = Porter()
    with pytest.raises(Denied):
        await Entrance(porter, basic_challenge("r")).recognise(
            replace(visit(authorization=basic("ann:right")), is_private=False)
        )
    assert porter.shown == []


async def test_where_others_read_along_nobody_is_asked_for_a_password():
    entrance = Entrance(Porter(), basic_challenge("r"))
    with pytest.raises(Denied):
        entrance.challenge(replace(visit(), is_private=False), Access(Action.VISIT), NOBODY)


async def test_where_others_read_along_anonymous_and_open_registries_go_on():
    in_public = replace(visit(authorization=basic("ann:right")), is_private=False)
    assert await Entrance(Porter(), basic_challenge("r")).recognise(replace(visit(), is_private=False)) is ANONYMOUS

    class Open(Porter):
        async def recognise(self, _shown, _origin, _registry):
            return ANONYMOUS

    assert await Entrance(Open(is_open=True), basic_challenge("r")).recognise(in_public) is ANONYMOUS
