# SPDX-License-Identifier: Apache-2.0
"""The commands about single sign-on: whom a provider vouches for, groups that teams follow, and what is demanded."""

import re

import pytest

from tests.management_api.conftest import PROVIDER
from tests.test_cli_sign_in import PASSWORD, SECRET, done, inside, refused, sign_in, wharfinger
from wharfinger.domain.accounts import AccountName, MemberRole, TeamName
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.security.passwords import Passwords

__all__ = ["done", "inside", "refused", "sign_in", "wharfinger"]


@pytest.fixture
def environment(tmp_path):
    return {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "data"), **PROVIDER}


@pytest.fixture
def _acme(inside):
    """An organization with an owner and a member who have passwords, and a team."""

    async def work(deployment):
        accounts, organizations = deployment.services.accounts, deployment.services.organizations
        hashed = Passwords().hash_password(PASSWORD)
        for name in ("ann", "bob"):
            await accounts.create_user(AccountName(name), SYSTEM_ACTOR, password_hash=hashed)
        acme = AccountName("acme")
        await accounts.create_organization(acme, SYSTEM_ACTOR, owner=AccountName("ann"))
        await organizations.put_member(acme, AccountName("bob"), MemberRole.MEMBER, SYSTEM_ACTOR)
        await organizations.create_team(TeamName(acme, "web"), SYSTEM_ACTOR)

    inside(work)


def rows(table):
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()[1:]]


@pytest.mark.usefixtures("_acme")
def test_a_user_is_linked_listed_and_unlinked(done, refused):
    assert done("user link bob corp 4711-abc") == "bob is 4711-abc of corp\n"
    done("user link bob corp 4711-abc")
    ((provider, subject, since),) = rows(done("user identities bob"))
    assert (provider, subject) == ("corp", "4711-abc")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", since)
    assert "another account already" in refused("user link ann corp 4711-abc")
    assert done("user unlink bob corp") == "bob is nobody of corp any more\n"
    assert rows(done("user identities bob")) == []
    assert "'bob' is not linked to 'corp'" in refused("user unlink bob corp")


WRONG = {
    "user link bob nobody 4711": "known are corp",
    "user link acme corp 4711": "'acme' is not a user, but an organization",
    "user identities zoe": "There is no account 'zoe'",
    "org sso acme nobody": "known are corp",
    "org sso bob corp": "'bob' is not an organization, but a user",
    "org sso acme": "name a provider to demand it, or say --off",
    "org sso acme corp --off": "name a provider to demand it, or say --off",
    "team map acme/nobody corp developers": "'acme/nobody'",
    "team unmap acme/web corp developers": "does not follow the group 'developers'",
    "team mappings zoe": "There is no account 'zoe'",
    "token authorize bob 1 acme --withdraw": "has no token or key 1",
}


@pytest.mark.usefixtures("_acme")
def test_what_cannot_be_says_what_would_be_right(refused):
    for words, why in WRONG.items():
        assert why in refused(words), words


def test_without_a_provider_the_sentence_says_where_to_begin(done, wharfinger):
    done("user create bob --no-password")
    finished = wharfinger("user link bob corp 4711", **dict.fromkeys(PROVIDER, ""))
    assert finished.status != 0
    assert "oidc" in finished.stderr


@pytest.mark.usefixtures("_acme")
def test_a_team_follows_groups(done):
    assert done("team map acme/web corp developers") == "acme/web follows the group developers of corp\n"
    done("team map acme/web corp /all/builders")
    assert rows(done("team mappings acme")) == [
        ["acme/web", "corp", "/all/builders"],
        ["acme/web", "corp", "developers"],
    ]
    said = done("team unmap acme/web corp developers")
    assert said == "acme/web does not follow the group developers of corp any more\n"
    assert rows(done("team mappings acme")) == [["acme/web", "corp", "/all/builders"]]


@pytest.mark.usefixtures("_acme")
def test_a_demand_ends_passwords_of_members_and_tokens_count_once_they_are_authorized(done, refused, sign_in):
    (secret,) = SECRET.findall(done("token create bob --scope read:packages --days 30 --name laptop"))
    assert sign_in("bob", PASSWORD).name == "bob"
    said = done("org sso acme corp")
    assert "acme demands that its members sign in through corp" in said
    assert "2 of them did not sign in through corp yet" in said
    with pytest.raises(CredentialInvalid, match="acme demands single sign-on"):
        sign_in("bob", PASSWORD)
    assert sign_in("bob", secret).name == "bob"  # a token goes on, for what does not come from the organization
    assert done("token authorize bob 1 acme") == "1 of bob counts for acme\n"
    assert done("token authorize bob 1 acme --withdraw") == "1 of bob does not count for acme any more\n"
    assert "is not authorized for 'acme'" in refused("token authorize bob 1 acme --withdraw")
    assert "the tokens that it took are remembered" in done("org sso acme --off")
    assert "demands no single sign-on" in refused("token authorize bob 1 acme")
    assert sign_in("bob", PASSWORD).name == "bob"


@pytest.mark.usefixtures("_acme")
def test_whoever_signed_in_through_the_provider_is_not_counted_as_unable(done):
    done("user link ann corp 4711")
    assert "1 of them did not sign in" in done("org sso acme corp")
    done("user link bob corp 4712")
    done("org sso acme --off")
    assert "did not sign in" not in done("org sso acme corp")
