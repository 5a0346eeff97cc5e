# SPDX-License-Identifier: Apache-2.0
import pytest

from wharfinger.domain import accounts
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import RobotName, TeamName
from wharfinger.domain.errors import AccountInvalid
from wharfinger.domain.grants import DEPLOYMENT, Place, parse_role, word_of


@pytest.mark.parametrize("name", ["a", "alice", "alice-2", "a.b_c__d", "x" * 39, "0"])
def test_a_name_is_one_part_of_a_repository_name(name):
    assert accounts.parse_new_account_name(name) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("x" * 40, "40 characters, and at most 39"),
        ("Alice", "'alice' would be right"),
        ("al ice", "' ' at position 3"),
        ("alice\n", "position 6"),
        ("a/b", "'/' at position 2"),
        ("alice-", "begin and end with a letter or digit"),
        ("a..b", "one `.`"),
        ("é", "position 1"),
    ],
)
def test_a_name_outside_the_grammar_is_refused_with_what_would_be_right(text, words):
    with pytest.raises(AccountInvalid) as refused:
        accounts.parse_account_name(text)
    assert words in refused.value.message


@pytest.mark.parametrize("word", ["api", "v2", "default", "anonymous", "system", "docker", "private"])
def test_a_word_of_the_deployment_is_no_new_name(word):
    with pytest.raises(AccountInvalid, match=f"'{word}-1'"):
        accounts.parse_new_account_name(word)
    assert accounts.parse_account_name(word) == word


def test_every_reserved_word_could_be_a_name_otherwise():
    assert all(accounts.parse_account_name(word) == word for word in accounts.RESERVED)


@pytest.mark.parametrize(
    ("text", "robot"),
    [
        ("acme+ci", RobotName("ci", organization="acme")),
        ("@default+ci.1", RobotName("ci.1", registry="default")),
    ],
)
def test_a_robot_is_named_with_its_owner(text, robot):
    assert accounts.parse_robot_name(text) == robot
    assert robot.full == text


@pytest.mark.parametrize("text", ["ci", "acme+", "+ci", "@+ci", "acme+c+i", "@acme", "Acme+ci", "acme@default+ci"])
def test_what_is_no_robot_is_refused(text):
    with pytest.raises(AccountInvalid):
        accounts.parse_robot_name(text)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("alice", "alice"),
        ("acme+ci", "acme+ci"),
        ("@default+ci", "@default+ci"),
        ("acme/builders", TeamName("acme", "builders")),
    ],
)
def test_a_subject_reads_as_it_is_written(text, subject):
    assert accounts.parse_subject(text) == subject
    assert str(subject) == text


@pytest.mark.parametrize("text", ["acme/", "/builders", "acme/a/b", "acme+ci/team"])
def test_what_is_no_team_is_refused(text):
    with pytest.raises(AccountInvalid):
        accounts.parse_subject(text)
    with pytest.raises(AccountInvalid, match="ORGANIZATION/TEAM"):
        accounts.parse_team_name("builders")


def test_viewer_and_manager_are_roles_of_wide_places_only():
    registry, namespace = Place(registry_id=1), Place(registry_id=1, namespace="acme")
    assert parse_role("viewer", DEPLOYMENT) is parse_role("read", registry) is Role.READ
    assert parse_role("manager", registry) is parse_role("admin", namespace) is Role.ADMIN
    with pytest.raises(AccountInvalid, match="read, write, admin"):
        parse_role("manager", namespace)
    with pytest.raises(AccountInvalid, match="the deployment"):
        parse_role("none", DEPLOYMENT)


def test_places_and_roles_have_words():
    assert [str(place) for place in (DEPLOYMENT, Place(registry_id=1), Place(registry_id=1, namespace="acme"))] == [
        "the deployment",
        "the registry",
        "the namespace acme",
    ]
    assert str(Place(registry_id=1, repository="acme/app")) == "the repository acme/app"
    assert word_of(Role.WRITE) == "write"
