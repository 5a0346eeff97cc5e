# SPDX-License-Identifier: Apache-2.0
"""OpenID providers in the settings: what is wrong with one stops the start, with a sentence that says what."""

import pytest

from wharfinger.domain.accounts import account_name_from
from wharfinger.domain.errors import SignInUnready
from wharfinger.settings import load
from wharfinger.settings.problems import SettingsError
from wharfinger.sign_in import providers, try_sign_in

CORP = {"NAME": "corp", "ISSUER": "https://login.example", "CLIENTID": "registry"}


def settings(*listed):
    variables = {
        f"REGISTRY_ACCOUNTS_OIDC_{number}_{key}": value
        for number, one in enumerate(listed)
        for key, value in one.items()
    }
    return load(None, variables).settings


def test_a_provider_is_read_with_what_is_usual():
    (found,) = providers(settings(CORP | {"CLIENTSECRET": "canary-secret"}))
    assert (found.name, found.display_name, found.creates_accounts) == ("corp", "corp", False)
    assert tuple(found.scopes) == ("openid", "profile", "email")
    assert found.client_secret == "canary-secret"
    assert "canary" not in repr(found)


def test_two_providers_of_one_name_stop_the_start():
    with pytest.raises(SignInUnready, match="the same name"):
        try_sign_in(settings(CORP, CORP))


def test_a_provider_that_would_not_say_who_signs_in_stops_the_start():
    with pytest.raises(SignInUnready, match="`openid` is not among the scopes"):
        try_sign_in(settings(CORP | {"SCOPES_0": "profile"}))


@pytest.mark.parametrize("name", ["Corp", "a/b", "-a", "a" * 33, "ä"])
def test_a_name_that_is_no_part_of_an_address_is_refused(name):
    with pytest.raises(SettingsError, match="is not a name of a provider"):
        settings(CORP | {"NAME": name})


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("ann", "ann"),
        ("Ann.Lee@example.com", "ann.lee"),
        ("Ánn  Lée", "ann-lee"),
        ("a..b__c", "a.b_c"),
        (".ann.", "ann"),
        ("x" * 60, "x" * 39),
        ("", None),
        ("@example.com", None),
        ("이안", None),
        ("admin/root", "admin-root"),
        ("settings", None),
    ],
)
def test_a_name_of_an_account_is_made_of_what_somebody_is_called(called, name):
    assert account_name_from(called) == name
