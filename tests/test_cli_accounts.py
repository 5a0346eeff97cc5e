# SPDX-License-Identifier: Apache-2.0
"""The commands about accounts as an operator runs them: what they print, and the status they end with."""

import sqlite3

import pytest

from tests.support.shell import run_wharfinger

PASSWORD = "correct horse battery staple"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def wharfinger(data, tmp_path):
    """Run a command to its end."""
    environment = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": data, "COLUMNS": "200"}

    def call(words, **more):
        return run_wharfinger(*words.split(), environment=environment, cwd=tmp_path, timeout=60, **more)

    return call


@pytest.fixture
def done(wharfinger):
    """Run a command that succeeds and return what it prints, line by line and without spaces at the ends."""

    def call(words, **more):
        finished = wharfinger(words, **more)
        assert finished.status == 0, str(finished)
        return [" ".join(line.split()) for line in finished.stdout.splitlines()]

    return call


@pytest.fixture
def refused(wharfinger):
    """Run a command that is refused and return the sentence that says why."""

    def call(words, **more):
        finished = wharfinger(words, **more)
        assert finished.status == 1, str(finished)
        assert "Traceback" not in finished.output
        return finished.stderr

    return call


@pytest.fixture
def rows(data):
    def call(sql):
        connection = sqlite3.connect(data / "wharfinger" / "wharfinger.db")
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    return call


def test_an_organization_is_set_up_from_the_shell(done, rows):
    assert done("user create ann --no-password --email ann@example.org") == ["the user ann was created"]
    done("user create bob --no-password")
    assert done("org create acme --owner ann") == ["the organization acme was created; ann owns it"]
    done("org add acme bob")
    done("team create acme/builders --description builds")
    done("team add acme/builders bob")
    done("robot create acme+ci")
    assert done("grant give acme/builders write --namespace acme") == ["acme/builders has write on the namespace acme"]
    done("grant give ann manager --deployment")
    assert [line.split()[:2] for line in done("user list")[1:]] == [["ann", "-"], ["bob", "-"]]
    assert [line.split()[:2] for line in done("org list acme")[1:]] == [["ann", "owner"], ["bob", "member"]]
    assert done("team list acme")[1:] == ["acme/builders 1 builds"]
    assert done("team list acme/builders")[1:] == ["bob"]
    assert [line.split()[0] for line in done("robot list acme")[1:]] == ["acme+ci"]
    assert [line.rsplit(" ", 1)[0] for line in done("grant list acme/builders")[1:]] == [
        "acme/builders write the namespace acme"
    ]
    assert [line.rsplit(" ", 1)[0] for line in done("grant list --deployment")[1:]] == ["ann admin the deployment"]
    events = rows("SELECT DISTINCT client_address, account_id, principal LIKE '% (shell)' FROM events")
    assert events == [(None, None, 1)]


def test_what_was_set_up_is_taken_apart(done):
    for words in ("user create ann --no-password", "user create bob --no-password", "org create acme --owner ann"):
        done(words)
    for words in ("org add acme bob --owner", "team create acme/builders", "team add acme/builders bob"):
        done(words)
    done("robot create @default+ci")
    done("grant give @default+ci read --registry default")
    assert done("grant take @default+ci --registry default") == [
        "what @default+ci was given on the registry was taken away"
    ]
    done("robot delete @default+ci")
    assert done("robot list @default")[1:] == []
    done("team remove acme/builders bob")
    done("team delete acme/builders")
    done("org remove acme ann")
    done("user suspend ann")
    assert done("user list")[1].split()[-1] != "-"
    done("user resume ann")
    assert done("user list")[1].split()[-1] == "-"
    done("org delete acme")
    done("user delete ann")
    assert done("org list")[1:] == []
    assert [line.split()[0] for line in done("user list")[1:]] == ["bob"]


def test_a_password_comes_through_standard_input_and_is_stored_as_a_hash(done, rows):
    done("user create ann --password-stdin", feed=f"{PASSWORD}\n")
    ((first,),) = rows("SELECT hash FROM passwords")
    assert first.startswith("$argon2id$")
    done("user passwd ann --password-stdin", feed="another long password\n")
    ((second,),) = rows("SELECT hash FROM passwords")
    assert first != second
    told = rows("SELECT action, target, detail FROM events ORDER BY id")
    assert told == [("account.created", "ann", "user"), ("password.changed", "ann", None)]


def test_a_password_can_be_for_one_time(done, refused, rows):
    done("user create ann --password-stdin --one-time", feed=PASSWORD)
    done("user create bob --password-stdin", feed=PASSWORD)
    one_time = "SELECT name, one_time FROM passwords JOIN accounts ON id = account_id ORDER BY name"
    assert rows(one_time) == [("ann", 1), ("bob", 0)]
    done("user passwd ann --password-stdin", feed=PASSWORD)
    done("user passwd bob --password-stdin --one-time", feed=PASSWORD)
    assert rows(one_time) == [("ann", 0), ("bob", 1)]
    assert "--one-time is about a password" in refused("user create cyd --no-password --one-time")


def test_a_password_that_is_not_taken_makes_no_account(done, refused):
    assert "8" in refused("user create ann --password-stdin", feed="short\n")
    assert "--password-stdin" in refused("user create ann")
    assert done("user list")[1:] == []


def test_no_password_is_an_argument(wharfinger):
    assert wharfinger("user create ann --password secret").status == 2


def test_refusals_are_sentences(done, refused):
    for words in ("user create ann --no-password", "org create acme --owner ann"):
        done(words)
    assert "'ann' would be right" in refused("user create Ann --no-password")
    assert "is taken" in refused("user create acme --no-password")
    assert "last owner of 'acme'" in refused("user delete ann")
    assert "not a user, but an organization" in refused("user delete acme")
    assert "There is no account 'zoe'" in refused("org add acme zoe")
    assert "ORGANIZATION/TEAM" in refused("team create builders")
    assert "ORGANIZATION+NAME" in refused("robot create ci")
    assert "choose one of" in refused("grant give ann owner --deployment")
    assert "no registry 'other'" in refused("grant give ann read --registry other")
    assert "no repository" in refused("grant give ann read --repository acme/app")
    for words in ("grant give ann read", "grant give ann read --deployment --namespace acme", "grant list"):
        assert "say where" in refused(words)
    assert "not both" in refused("grant list ann --deployment")


def test_a_setting_that_is_wrong_is_told_for_these_commands_too(refused, tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("version: 0.1\nnonsense: 1\n")
    assert "nonsense" in refused(f"user list --config {config}")


def test_a_command_beside_a_running_node_leaves_its_uploads_alone(done, data):
    done("user list")
    connection = sqlite3.connect(data / "wharfinger" / "wharfinger.db")
    connection.execute(
        "INSERT INTO repositories (id, registry_id, name, visibility, created_at, changed_at) "
        "VALUES (1, 1, 'app', 'private', 0, 0)"
    )
    connection.execute(
        "INSERT INTO uploads (id, registry_id, repository_id, store_key, algorithm, offset, created_at, expires_at, "
        "claim, claimed_until) VALUES ('u', 1, 1, 'ab/u', 'sha256', 0, 0, 0, 'mine', 9)"
    )
    connection.commit()
    done("user create ann --no-password")
    assert connection.execute("SELECT claim FROM uploads").fetchall() == [("mine",)]
    done("check")  # what runs at the start of a node lets go of it
    assert connection.execute("SELECT claim FROM uploads").fetchall() == [(None,)]
    connection.close()


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_registry_with_accounts_is_not_opened_by_a_forgotten_line(done, refused, tmp_path, command):
    done("user create alice --no-password")
    config = tmp_path / "config.yml"
    config.write_text("version: 0.1\nauth: none\n")
    assert "there are accounts, but `auth: none` would let everybody in" in refused(f"{command} {config}")


def test_a_command_that_finds_no_registry_says_where_it_made_one(wharfinger, data):
    first = wharfinger("user create ann --no-password").stderr
    assert f"a new database was made ({data}/wharfinger/wharfinger.db)" in first
    assert "--config FILE" in first
    assert "new database" not in wharfinger("user list").stderr
