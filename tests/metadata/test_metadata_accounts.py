# SPDX-License-Identifier: Apache-2.0
"""What the tables of accounts refuse, whoever writes to them."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tests.metadata.rows import NOW, REGISTRY, count, every, make_repository
from wharfinger.domain.access import Role
from wharfinger.domain.accounts import AccountKind, MemberRole
from wharfinger.metadata import accounts, grants, namespaces, organizations
from wharfinger.metadata.account_tables import accounts as account_table
from wharfinger.metadata.account_tables import credential_repositories, credentials, team_members
from wharfinger.metadata.account_tables import grants as grant_table
from wharfinger.metadata.grants import PlaceKey, SubjectKey
from wharfinger.metadata.schema import repositories as repository_table

CREDENTIAL = {"kind": "token", "name": "x", "hint": "wxyz", "created_at": NOW}


@pytest.fixture
def ann(connection):
    return accounts.create(connection, AccountKind.USER, "ann", NOW)


@pytest.fixture
def acme(connection):
    return accounts.create(connection, AccountKind.ORGANIZATION, "acme", NOW)


def refused(connection, table, **values):
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(insert(table).values(**values))


def test_a_live_name_is_taken_and_a_deleted_one_is_free(connection, ann):
    assert accounts.create(connection, AccountKind.ORGANIZATION, "ann", NOW) is None
    accounts.delete_account(connection, accounts.find(connection, "ann"), NOW)
    assert accounts.find(connection, "ann") is None
    assert accounts.create(connection, AccountKind.USER, "ann", NOW) > ann


def test_only_robots_belong_to_somebody_and_each_to_one(connection, acme):
    every_robot = {"kind": "robot", "name": "acme+ci", "created_at": NOW}
    refused(connection, account_table, **every_robot)
    refused(connection, account_table, **every_robot, organization_id=acme, registry_id=REGISTRY)
    refused(connection, account_table, kind="user", name="bob", created_at=NOW, organization_id=acme)
    assert accounts.create(connection, AccountKind.ROBOT, "acme+ci", NOW, organization_id=acme)
    assert accounts.create(connection, AccountKind.ROBOT, "@default+ci", NOW, registry_id=REGISTRY)


def test_who_is_in_a_team_is_a_member_of_its_organization(connection, ann, acme):
    team = organizations.create_team(connection, acme, "one", None, NOW)
    row = {"team_id": team, "organization_id": acme, "user_id": ann, "created_at": NOW}
    refused(connection, team_members, **row)
    organizations.put_member(connection, acme, ann, MemberRole.MEMBER, None, NOW)
    other = accounts.create(connection, AccountKind.ORGANIZATION, "beta", NOW)
    organizations.put_member(connection, other, ann, MemberRole.MEMBER, None, NOW)
    refused(connection, team_members, **{**row, "organization_id": other})
    assert organizations.join_team(connection, acme, team, ann, None, NOW)
    assert not organizations.join_team(connection, acme, team, ann, None, NOW)


@pytest.mark.parametrize("where", ["deployment", "registry", "namespace", "repository"])
@pytest.mark.parametrize("who", ["account", "team"])
def test_there_is_one_grant_for_each_subject_and_place(connection, ann, acme, where, who):
    repository = make_repository(connection, "beta/app")
    namespace, _ = namespaces.find_id(connection, REGISTRY, "beta")
    keys = {"registry": REGISTRY, "namespace": namespace, "repository": repository}
    place = PlaceKey(**{f"{name}_id": key for name, key in keys.items() if name == where})
    team = organizations.create_team(connection, acme, "one", None, NOW)
    subject = SubjectKey(account_id=ann) if who == "account" else SubjectKey(team_id=team)
    assert grants.give(connection, subject, place, Role.READ, None, NOW) is None
    assert grants.give(connection, subject, place, Role.ADMIN, None, NOW) is Role.READ
    (row,) = every(connection, grant_table)
    refused(connection, grant_table, **{name: value for name, value in row.items() if name != "id"})
    assert grants.take(connection, subject, place)
    assert not grants.take(connection, subject, place)


def test_a_grant_has_one_subject_and_at_most_one_place(connection, ann, acme):
    repository = make_repository(connection, "beta/app")
    team = organizations.create_team(connection, acme, "one", None, NOW)
    role = {"role": "read", "created_at": NOW}
    refused(connection, grant_table, **role)
    refused(connection, grant_table, **role, account_id=ann, team_id=team)
    refused(connection, grant_table, **role, account_id=ann, repository_id=repository, registry_id=REGISTRY)
    refused(connection, grant_table, **{**role, "role": "none"}, account_id=ann)
    connection.execute(insert(grant_table).values(**role, account_id=ann))


def test_no_two_credentials_share_a_secret_or_a_public_id(connection, ann):
    first = {**CREDENTIAL, "account_id": ann, "fingerprint": "f-1", "public_id": "WHKEY"}
    connection.execute(insert(credentials).values(**first))
    refused(connection, credentials, **{**first, "public_id": None})
    refused(connection, credentials, **{**first, "fingerprint": "f-2"})
    connection.execute(insert(credentials).values(**{**first, "fingerprint": "f-3", "public_id": None}))
    connection.execute(insert(credentials).values(**{**first, "fingerprint": "f-4", "public_id": None}))


def test_a_removed_repository_takes_its_grants_and_limits_along(connection, ann):
    repository = make_repository(connection, "beta/app")
    grants.give(connection, SubjectKey(account_id=ann), PlaceKey(repository_id=repository), Role.READ, None, NOW)
    made = insert(credentials).values(**CREDENTIAL, account_id=ann, fingerprint="f", limited=1)
    number = connection.execute(made.returning(credentials.c.id)).scalar_one()
    connection.execute(insert(credential_repositories).values(credential_id=number, repository_id=repository))
    connection.execute(repository_table.delete())
    assert (count(connection, grant_table), count(connection, credential_repositories)) == (0, 0)


def test_an_account_that_others_refer_to_cannot_be_removed(connection, ann):
    organizations.put_member(
        connection,
        accounts.create(connection, AccountKind.ORGANIZATION, "acme", NOW),
        ann,
        MemberRole.OWNER,
        None,
        NOW,
    )
    with pytest.raises(IntegrityError), connection.begin_nested():
        connection.execute(account_table.delete().where(account_table.c.id == ann))
