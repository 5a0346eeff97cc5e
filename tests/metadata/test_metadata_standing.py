# SPDX-License-Identifier: Apache-2.0
import pytest
from sqlalchemy import event, update

from tests.metadata.rows import NOW, REGISTRY, SOMEBODY, make_repository
from wharfinger.domain.access import Role, Standing, Visibility
from wharfinger.domain.accounts import AccountKind, CredentialKind, MemberRole
from wharfinger.domain.identity import NO_PROOF, Actor, Ceiling, Principal, Proof, Scope
from wharfinger.domain.names import RepositoryName, namespace_of
from wharfinger.metadata import accounts, credentials, demands, grants, namespaces, organizations, repositories
from wharfinger.metadata.account_tables import accounts as account_table
from wharfinger.metadata.credentials import NewCredential
from wharfinger.metadata.grants import PlaceKey, SubjectKey
from wharfinger.metadata.schema import namespaces as namespace_table
from wharfinger.metadata.schema import registries
from wharfinger.metadata.schema import repositories as repository_table
from wharfinger.metadata.standing import NOBODY, STANDING, proof_of, sight_of, standing_of


def stand(connection, account_id, name, *, anonymous_pull=True, proof=NO_PROOF):
    rows = STANDING.rows(
        connection,
        **proof_of(Principal(name="x", account_id=account_id, proof=proof)),
        registry_id=REGISTRY,
        repository=name,
        namespace=namespace_of(RepositoryName(name)) or "",
    )
    assert len(rows) == 1
    return standing_of(rows[0], anonymous_pull=anonymous_pull)


@pytest.fixture
def ann(connection):
    return accounts.create(connection, AccountKind.USER, "ann", NOW)


@pytest.fixture
def acme(connection):
    return accounts.create(connection, AccountKind.ORGANIZATION, "acme", NOW)


def test_there_is_always_one_row(connection, ann):
    assert stand(connection, NOBODY, "plain") == Standing()
    assert stand(connection, NOBODY, "acme/app") == Standing()
    assert stand(connection, ann, "acme/app") == Standing()
    assert stand(connection, 4711, "acme/app") == Standing(suspended=True)


def test_what_is_there_is_told(connection, ann):
    maker = Actor(principal=Principal(name="ann", account_id=ann))
    number, _ = repositories.ensure(connection, REGISTRY, RepositoryName("acme/app"), maker, NOW)
    connection.execute(update(repository_table).values(visibility="internal", inherits=1))
    mine = Standing(
        repository_id=number,
        created_by_self=NOW,
        visibility=Visibility.INTERNAL,
        inherits=True,
        on_repository=Role.ADMIN,
    )
    assert stand(connection, ann, "acme/app") == mine
    assert stand(connection, NOBODY, "acme/app") == Standing(
        repository_id=number, visibility=Visibility.INTERNAL, inherits=True
    )


@pytest.mark.parametrize("where", ["on_deployment", "on_registry", "on_namespace", "on_repository"])
def test_the_highest_role_at_each_place_counts_whether_own_or_a_teams(connection, ann, acme, where):
    repository = make_repository(connection, "beta/app")
    namespace, _ = namespaces.find_id(connection, REGISTRY, "beta")
    key = {
        "on_deployment": PlaceKey(),
        "on_registry": PlaceKey(registry_id=REGISTRY),
        "on_namespace": PlaceKey(namespace_id=namespace),
        "on_repository": PlaceKey(repository_id=repository),
    }[where]
    organizations.put_member(connection, acme, ann, MemberRole.MEMBER, None, NOW)
    teams = [organizations.create_team(connection, acme, name, None, NOW) for name in ("one", "two")]
    roles = []
    for subject, role in (
        (SubjectKey(account_id=ann), Role.READ),
        (SubjectKey(team_id=teams[0]), Role.ADMIN),
        (SubjectKey(team_id=teams[1]), Role.WRITE),
    ):
        if subject.team_id is not None:
            organizations.join_team(connection, acme, subject.team_id, ann, None, NOW)
        grants.give(connection, subject, key, role, None, NOW)
        roles.append(getattr(stand(connection, ann, "beta/app"), where))
    assert roles == [Role.READ, Role.ADMIN, Role.ADMIN]
    others = {"on_deployment", "on_registry", "on_namespace", "on_repository"} - {where}
    assert all(getattr(stand(connection, ann, "beta/app"), other) is Role.NONE for other in others)
    assert stand(connection, NOBODY, "beta/app") == Standing(repository_id=repository, visibility=Visibility.PRIVATE)


def test_a_namespace_is_its_users_and_its_organizations_owners(connection, ann, acme):
    bob = accounts.create(connection, AccountKind.USER, "bob", NOW)
    for who, role in ((ann, MemberRole.OWNER), (bob, MemberRole.MEMBER)):
        organizations.put_member(connection, acme, who, role, None, NOW)
    for name in ("acme/app", "ann/app"):
        # Before the first repository and after it: the namespace is owned in the same way.
        for _ in range(2):
            found = [stand(connection, who, name) for who in (ann, bob)]
            assert [one.owns_namespace for one in found] == [True, False], name
            make_repository(connection, name)
    assert [stand(connection, who, "acme/new").is_member for who in (ann, bob, NOBODY)] == [True, True, False]


def test_a_namespace_that_was_there_before_its_namesake_is_not_owned(connection):
    make_repository(connection, "late/app")
    late = accounts.create(connection, AccountKind.USER, "late", NOW)
    assert not stand(connection, late, "late/app").owns_namespace
    assert not stand(connection, late, "late/new").owns_namespace


def test_elsewhere_a_namesake_owns_nothing(connection, ann):
    connection.execute(update(registries).values(account_namespaces=0))
    assert not stand(connection, ann, "ann/app").owns_namespace
    make_repository(connection, "ann/app")
    assert not stand(connection, ann, "ann/app").owns_namespace


@pytest.mark.parametrize("off", ["deployment", "registry", "organization"])
def test_anonymous_pull_takes_three_switches(connection, acme, off):
    make_repository(connection, "acme/app")
    assert stand(connection, NOBODY, "acme/app").anonymous_pull
    if off == "registry":
        connection.execute(update(registries).values(anonymous_pull=0))
    if off == "organization":
        accounts.change(connection, acme, {"anonymous_pull": 0})
    assert not stand(connection, NOBODY, "acme/app", anonymous_pull=off != "deployment").anonymous_pull


@pytest.mark.parametrize("column", ["suspended_at", "deleted_at"])
def test_suspended_and_deleted_accounts_are_suspended(connection, ann, column):
    connection.execute(update(account_table).where(account_table.c.id == ann).values({column: NOW}))
    assert stand(connection, ann, "acme/app").suspended
    assert not stand(connection, NOBODY, "acme/app").suspended


def test_a_deleted_repository_is_as_one_that_never_was(connection, ann):
    make_repository(connection, "beta/app")
    connection.execute(update(repository_table).values(deleted_at=NOW))
    assert stand(connection, ann, "beta/app") == stand(connection, ann, "beta/none") == Standing()


def test_private_and_absent_names_run_the_same_statements(place):
    engine = place.engine()
    with engine.begin() as connection:
        if place.kind == "sqlite":
            connection.exec_driver_sql("BEGIN")
        ann = accounts.create(connection, AccountKind.USER, "ann", NOW)
        make_repository(connection, "beta/app")
        ran = []
        if place.kind == "sqlite":
            connection.connection.driver_connection.set_trace_callback(ran.append)
        else:
            event.listen(engine, "before_cursor_execute", lambda _c, _x, sql, *_: ran.append(sql))
        counts = []
        for name in ("beta/app", "beta/none", "none/none", "none"):
            ran.clear()
            stand(connection, ann, name)
            counts.append(len(ran))
        connection.rollback()
    assert counts == [1, 1, 1, 1]


def test_a_sight_says_who_looks_and_what_its_credential_leaves():
    def only(**ceiling):
        return sight_of(Principal(name="x", account_id=7, ceiling=Ceiling(**ceiling)))["only"]

    nothing = {"only": None, "rules": None, "source": None}
    nobody = {"account_id": NOBODY, "proof": NOBODY, "provider": "", "anonymous_pull": 1, **nothing}
    assert sight_of(Principal(name="x")) == nobody
    assert sight_of(Principal(name="x", account_id=7), anonymous_pull=False)["anonymous_pull"] == 0
    assert only(repositories=frozenset({17, 3})) == ",3,17,"
    assert only(repositories=frozenset()) == ",,"
    assert only(scopes=frozenset({Scope.READ})) is None
    assert only(scopes=frozenset({Scope.ADMIN_ORGANIZATION})) == ",,"


def test_a_new_namespace_belongs_to_its_namesake(connection, ann):
    namespaces.ensure(connection, REGISTRY, "ann", SOMEBODY, NOW)
    namespaces.ensure(connection, REGISTRY, "free", SOMEBODY, NOW)
    found = {row.name: row.owner_id for row in connection.execute(namespace_table.select())}
    assert found == {"ann": ann, "free": None}


@pytest.fixture
def demanding(connection, ann, acme):
    """`ann` owns `acme`, which demands single sign-on through `corp`, and has roles there in every way."""
    organizations.put_member(connection, acme, ann, MemberRole.OWNER, None, NOW)
    team = organizations.create_team(connection, acme, "one", None, NOW)
    organizations.join_team(connection, acme, team, ann, None, NOW)
    repository = make_repository(connection, "acme/app")
    grants.give(connection, SubjectKey(account_id=ann), PlaceKey(repository_id=repository), Role.WRITE, None, NOW)
    grants.give(connection, SubjectKey(team_id=team), PlaceKey(registry_id=REGISTRY), Role.READ, None, NOW)
    demands.put(connection, acme, "corp")
    return acme


def make_token(connection, account, fingerprint):
    new = NewCredential(kind=CredentialKind.TOKEN, name="t", fingerprint=fingerprint, hint="wxyz")
    return credentials.create(connection, account, new, None, NOW)


@pytest.mark.usefixtures("demanding")
def test_what_a_demanding_organization_gives_is_withheld_from_who_does_not_prove_it(connection, ann):
    found = stand(connection, ann, "acme/app")
    assert (found.is_withheld, found.demanded_by) == (True, "acme")
    assert found.on_registry is Role.NONE, "a role that only its team gave"
    assert stand(connection, ann, "acme/new").is_withheld, "the same at a name that is free"
    elsewhere = stand(connection, ann, "plain")
    assert (elsewhere.is_withheld, elsewhere.demanded_by, elsewhere.on_registry) == (False, "acme", Role.NONE)


@pytest.mark.usefixtures("demanding")
def test_a_session_through_the_provider_proves_it_and_one_through_another_does_not(connection, ann):
    proved = stand(connection, ann, "acme/app", proof=Proof(provider="corp"))
    assert (proved.is_withheld, proved.demanded_by, proved.on_registry) == (False, None, Role.READ)
    assert stand(connection, ann, "acme/app", proof=Proof(provider="other")).is_withheld


def test_a_token_proves_it_once_authorized_for_what_is_demanded_now(connection, ann, demanding):
    first, second = make_token(connection, ann, "f-1"), make_token(connection, ann, "f-2")
    demands.authorize(connection, first, demanding, "corp", None, NOW)
    assert not stand(connection, ann, "acme/app", proof=Proof(credential_id=first)).is_withheld
    assert stand(connection, ann, "acme/app", proof=Proof(credential_id=second)).is_withheld
    demands.put(connection, demanding, "other")
    assert stand(connection, ann, "acme/app", proof=Proof(credential_id=first)).is_withheld


def test_who_is_no_member_is_demanded_nothing(connection, demanding):
    guest = accounts.create(connection, AccountKind.USER, "guest", NOW)
    robot = accounts.create(connection, AccountKind.ROBOT, "acme+ci", NOW, organization_id=demanding)
    for account in (guest, robot, NOBODY):
        found = stand(connection, account, "acme/app")
        assert (found.is_withheld, found.demanded_by) == (False, None)
