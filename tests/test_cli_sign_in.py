# SPDX-License-Identifier: Apache-2.0
"""The commands by which people come in: the first administrator, tokens and keys, and why an answer is yes or no."""

import asyncio
import re

import pytest

from tests.support.shell import run_wharfinger
from wharfinger import bootstrap, storage
from wharfinger.clock import DAY, Clock
from wharfinger.domain.accounts import AccountName, CredentialKind
from wharfinger.domain.errors import CredentialInvalid
from wharfinger.domain.identity import SYSTEM_ACTOR, Scope
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import repositories
from wharfinger.services.identity import Password
from wharfinger.settings import load

PASSWORD = "correct horse battery staple"
SECRET = re.compile(r"wh[ps]_\w{36}")
KEY_ID = re.compile(r"WHK[A-Z2-7]{16}")


@pytest.fixture
def environment(tmp_path):
    return {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "data")}


@pytest.fixture
def wharfinger(environment, tmp_path):
    """Run a command to its end; whatever happens, it shows no traceback."""

    def call(words, feed=None, **more):
        variables = environment | more
        finished = run_wharfinger(*words.split(), environment=variables, cwd=tmp_path, feed=feed)
        assert "Traceback" not in finished.output
        return finished

    return call


@pytest.fixture
def done(wharfinger):
    """Run a command that succeeds and return what it prints."""

    def call(words, feed=None, **more):
        finished = wharfinger(words, feed, **more)
        assert finished.status == 0, str(finished)
        return finished.stdout

    return call


@pytest.fixture
def refused(wharfinger):
    """Run a command that is refused and return the sentence that says why."""

    def call(words, feed=None):
        finished = wharfinger(words, feed)
        assert (finished.status, finished.stdout) == (1, ""), str(finished)
        return finished.stderr

    return call


@pytest.fixture
def inside(environment):
    """Run some work with the deployment that the commands share."""

    def call(work):
        async def with_deployment():
            deployment = bootstrap.build(settings)
            try:
                return await work(deployment)
            finally:
                await deployment.aclose()

        settings = load(None, environment).settings
        storage.migrate(settings)
        return asyncio.run(with_deployment())

    return call


@pytest.fixture
def push(inside):
    """Make a repository, as its first push does."""

    def call(name):
        inside(
            lambda deployment: deployment.database.write(
                lambda connection: repositories.ensure(connection, 1, RepositoryName(name), SYSTEM_ACTOR, Clock().now())
            )
        )

    return call


@pytest.fixture
def sign_in(inside):
    """Show a name and a secret, as `docker login` does, and return whom the registry sees."""

    def call(name, secret):
        return inside(lambda deployment: deployment.services.identity.recognise(Password(name, secret)))

    return call


def test_init_makes_an_administrator_who_signs_in(done, sign_in):
    assert done("init ann --password-stdin", f"{PASSWORD}\n").splitlines() == [
        "ann administers this deployment; from now on everybody signs in",
        "next: docker login -u ann HOST:PORT",
    ]
    assert sign_in("ann", PASSWORD).name == "ann"
    with pytest.raises(CredentialInvalid):
        sign_in("ann", "another long password")
    assert done("access explain ann delete acme/app") == "yes: manager on the deployment\n"


def test_init_is_done_once(done, refused):
    done("init ann --password-stdin", PASSWORD)
    sentence = refused("init bob --password-stdin", PASSWORD)
    assert "accounts already; `wharfinger grant give NAME manager --deployment`" in sentence
    assert "bob" not in done("user list")


def test_init_asks_who_sees_what_is_there_already(done, refused, wharfinger, push):
    push("acme/app")
    sentence = refused("init ann --password-stdin", PASSWORD)
    assert "--existing" in sentence
    assert "acme/app" not in sentence
    assert "ann" not in done("user list")
    assert wharfinger("init ann --existing secret --password-stdin", PASSWORD).status == 2
    assert "repositories that were there already: 1; they are public now" in done(
        "init ann --existing public --password-stdin", PASSWORD
    )
    assert done("access explain anonymous pull acme/app").startswith("yes: ")


def test_what_was_there_already_can_be_private(done, wharfinger, push):
    push("acme/app")
    done("init ann --existing private --password-stdin", PASSWORD)
    done("user create bob --no-password")
    for who in ("anonymous", "bob"):
        assert wharfinger(f"access explain {who} pull acme/app").status == 1


@pytest.mark.parametrize(
    ("words", "feed", "why"),
    [
        ("init ann --password-stdin", "short\n", "at least 8"),
        ("init ann --password-stdin", "", "at least 8"),
        ("init ann", None, "--password-stdin"),
        ("init Ann --password-stdin", PASSWORD, "'ann' would be right"),
        ("init tokens --password-stdin", PASSWORD, "the registry uses itself"),
    ],
)
def test_init_says_what_would_be_right(refused, words, feed, why):
    assert why in refused(words, feed)


def test_init_says_if_the_settings_choose_another_mode(wharfinger):
    finished = wharfinger("init ann --password-stdin", PASSWORD, REGISTRY_AUTH="none")
    assert finished.status == 0, str(finished)
    assert "everybody signs in" not in finished.stdout
    assert "the settings choose auth: none; accounts count once that is gone" in finished.stderr


PLAIN = "version: 0.1\nhttp: {addr: '0.0.0.0:5000'}\n"


@pytest.fixture
def plain(tmp_path):
    """A configuration that takes requests from other machines without TLS."""
    path = tmp_path / "plain.yml"
    path.write_text(PLAIN)
    return path


def test_init_refuses_where_passwords_would_be_read_on_the_way(done, refused, plain):
    sentence = refused(f"init ann --password-stdin --config {plain}", PASSWORD)
    assert "unencrypted" in sentence
    for way_out in ("http.tls", "http.host", "accounts.allowplain: true"):
        assert way_out in sentence
    assert "ann" not in done("user list")
    plain.write_text(PLAIN + "accounts: {allowplain: true}\n")
    done(f"init ann --password-stdin --config {plain}", PASSWORD)


def test_a_registry_with_accounts_does_not_start_where_passwords_would_be_read_on_the_way(done, refused, plain):
    done("user create ann --no-password")
    assert "there are accounts, and passwords and tokens would travel to 0.0.0.0:5000 unencrypted" in refused(
        f"serve {plain}"
    )


def test_a_token_is_shown_once_and_works_with_its_scopes_until_its_day(done, sign_in, inside):
    done("user create bob --no-password")
    shown = done("token create bob --scope read:packages --scope delete:packages --days 30 --name laptop")
    (secret,) = SECRET.findall(shown)
    assert "valid for 30 days" in shown
    assert "docker login -u bob --password-stdin" in shown
    principal = sign_in("bob", secret)
    assert (principal.name, principal.ceiling.scopes) == ("bob", {Scope.READ, Scope.DELETE})
    (held,) = inside(lambda deployment: deployment.services.credentials.list(AccountName("bob")))
    assert (held.kind, held.expires_at - held.created_at) == (
        CredentialKind.TOKEN,
        pytest.approx(30 * DAY, abs=DAY // 100),
    )
    (row,) = done("token list bob").splitlines()[1:]
    assert secret not in row
    cells = re.split(r"\s{2,}", row.strip())
    assert cells[1:5] == ["token", "laptop", f"…{secret[-4:]}", "delete:packages read:packages"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", cells[6]), "last used"
    assert cells[7] == "-"


def test_an_access_key_signs_in_with_its_id(done, sign_in):
    done("user create ann --no-password")
    done("org create acme --owner ann")
    done("robot create acme+ci")
    shown = done("token create acme+ci --key --scope write:packages --name CI")
    (secret,), (number, again) = SECRET.findall(shown), KEY_ID.findall(shown)
    assert number == again
    principal = sign_in(number, secret)
    assert (principal.name, principal.ceiling.scopes) == ("acme+ci", {Scope.WRITE})
    with pytest.raises(CredentialInvalid):
        sign_in("acme+ci", secret)
    listed = done("token list acme+ci")
    assert number in listed
    assert secret not in listed


def test_a_revoked_token_ends_at_once(done, refused, sign_in):
    done("user create bob --no-password")
    (secret,) = SECRET.findall(done("token create bob --scope read:packages"))
    assert done("token revoke bob 1") == "1 of bob is revoked\n"
    with pytest.raises(CredentialInvalid):
        sign_in("bob", secret)
    assert "no credential 1 that could be revoked" in refused("token revoke bob 1")
    assert re.search(r"\d{4}-\d\d-\d\d$", done("token list bob").splitlines()[1].strip())


def test_what_can_hold_no_token_is_said(done, refused, wharfinger):
    done("user create ann --access console --no-password")
    done("user create bob --no-password")
    done("org create acme --owner ann")
    assert "There is no account 'zoe'" in refused("token create zoe --scope read:packages")
    assert "'acme' is an organization" in refused("token create acme --scope read:packages")
    assert "console only" in refused("token create ann --scope read:packages")
    assert "There is no account 'zoe'" in refused("token list zoe")
    assert "366 days at the most" in refused("token create bob --scope read:packages --days 367")
    for wrong in ("", "--scope everything", "--scope read:packages --days 0"):
        assert wharfinger(f"token create ann {wrong}").status == 2
    assert done("token list ann").splitlines()[1:] == []


def test_explain_says_yes_or_no_and_by_which_rule(done, refused, wharfinger, push):
    done("init ann --password-stdin", PASSWORD)
    done("user create bob --no-password")
    push("acme/app")
    assert done("access explain ann push acme/app") == "yes: manager on the deployment\n"
    done("grant give bob read --repository acme/app")
    assert done("access explain bob pull acme/app") == "yes: read on the repository\n"
    for words, rule in (
        ("bob push acme/app", "you need the role write"),
        ("bob pull acme/other", "you need the role read"),
        ("anonymous pull acme/app", "you have not signed in"),
    ):
        finished = wharfinger(f"access explain {words}")
        assert (finished.status, finished.stderr) == (1, ""), str(finished)
        assert finished.stdout.startswith(f"no: {rule}")
    assert wharfinger("access explain bob push acme/app").stdout.splitlines()[1:] == [
        "has read on the repository acme/app",
        "to change it: give bob the role write on the repository acme/app",
    ]
    assert "There is no account 'zoe'" in refused("access explain zoe pull acme/app")
    assert "'acme/app' would be right" in refused("access explain bob pull Acme/app")
    assert wharfinger("access explain bob fly acme/app").status == 2


def test_while_there_are_no_accounts_explain_says_so(done):
    assert done("access explain anonymous push acme/app").startswith("yes: ")


def test_how_long_a_token_is_valid_follows_the_settings(done, wharfinger):
    done("user create bob --no-password")
    assert "it is valid for 90 days" in done("token create bob --scope read:packages")
    strict = {"REGISTRY_ACCOUNTS_TOKENS_MAXLIFETIME": "36h"}
    assert "it is valid for 36 hours" in done("token create bob --scope read:packages", **strict)
    finished = wharfinger("token create bob --scope read:packages --days 2", **strict)
    assert (finished.status, finished.stdout) == (1, "")
    assert "valid for 36 hours at the most here (accounts.tokens.maxlifetime)" in finished.stderr
