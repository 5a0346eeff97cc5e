# SPDX-License-Identifier: Apache-2.0
"""The commands about repositories, namespaces and registries: what they print, and the status they end with."""

import asyncio

import pytest

from tests.support.shell import run_wharfinger
from wharfinger import bootstrap, storage
from wharfinger.domain.identity import SYSTEM_ACTOR
from wharfinger.domain.names import RepositoryName
from wharfinger.metadata import repositories
from wharfinger.settings import load

SOURCE = "https://github.com/acme/app"


@pytest.fixture
def environment(tmp_path):
    return {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(tmp_path / "data")}


@pytest.fixture
def wharfinger(environment, tmp_path):
    """Run a command to its end; whatever happens, it shows no traceback."""

    def call(*words):
        finished = run_wharfinger(*words, environment=environment, cwd=tmp_path)
        assert "Traceback" not in finished.output
        return finished

    return call


@pytest.fixture
def done(wharfinger):
    """Run a command that succeeds and return what it prints, line by line and without spaces at the ends."""

    def call(*words):
        finished = wharfinger(*words)
        assert finished.status == 0, str(finished)
        return [" ".join(line.split()) for line in finished.stdout.splitlines()]

    return call


@pytest.fixture
def push(environment):
    """Have a repository with content, as a push would."""

    def call(name):
        async def work():
            settings = load(None, environment).settings
            storage.migrate(settings, beside=True)
            deployment = bootstrap.build(settings)
            registry = deployment.services.registries.default

            def touch(connection):
                made, _ = repositories.ensure(connection, registry.id, RepositoryName(name), SYSTEM_ACTOR, 1)
                repositories.touch(connection, made, 1)

            try:
                await deployment.database.write(touch)
            finally:
                await deployment.aclose()

        asyncio.run(work())

    return call


def test_a_repository_is_shown_and_changed(done, push):
    push("acme/app")
    shown = done("repository", "set", "acme/app", "--description", "An app", "--source", f"{SOURCE}.git/",
                 "--visibility", "public", "--inherit")  # fmt: skip
    more = done("repository", "show", "acme/app")
    assert more[: len(shown)] == shown
    assert more[len(shown) :] == [
        "tags 0",
        "manifests 0",
        "size 0 bytes, 0 of them shared with other repositories",
        "pulls 0",
        "stars 0",
    ]
    assert shown[:5] == [
        "name acme/app",
        "description An app",
        f"source {SOURCE}",
        "visibility public",
        "inherits yes",
    ]
    assert done("repository", "set", "acme/app", "--no-inherit", "--description", "")[1:5] == [
        "description -",
        f"source {SOURCE}",
        "visibility public",
        "inherits no",
    ]
    push("acme/lib")
    assert [line.split()[:3] for line in done("repository", "list")[1:]] == [
        ["acme/app", "public", "no"],
        ["acme/lib", "private", "no"],
    ]


def test_a_full_description_comes_from_a_file_and_is_printed(done, wharfinger, push, tmp_path):
    push("acme/app")
    file = tmp_path / "README.md"
    file.write_bytes("# App\r\n\r\n가나다\r\n".encode())
    assert done("repository", "describe", "acme/app") == []
    written = done("repository", "describe", "acme/app", "--file", str(file))
    assert written == ["the full description of acme/app has 10 characters"]
    assert wharfinger("repository", "describe", "acme/app").stdout == "# App\n\n가나다\n"
    file.write_bytes(b"\xff")
    assert "not text in UTF-8" in wharfinger("repository", "describe", "acme/app", "--file", str(file)).stderr
    file.write_bytes(b"x" * 25_001)
    assert "at most 25,000" in wharfinger("repository", "describe", "acme/app", "--file", str(file)).stderr
    assert "cannot read" in wharfinger("repository", "describe", "acme/app", "--file", str(tmp_path / "no")).stderr
    file.write_bytes(b"")
    assert done("repository", "describe", "acme/app", "--file", str(file))[0].endswith("has 0 characters")


def test_who_reaches_a_repository_is_listed_with_the_way(done, push):
    push("acme/app")
    done("user", "create", "ann", "--no-password")
    done("user", "create", "bob", "--no-password")
    done("grant", "give", "ann", "write", "--repository", "acme/app")
    done("grant", "give", "bob", "read", "--namespace", "acme")
    assert done("repository", "people", "acme/app")[1:] == [
        "ann write a role on the repository yes",
        "bob read a role on the namespace no",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["set", "acme/app"], "say what to change"),
        (["set", "acme/app", "--description", "x" * 101], "at most 100"),
        (["set", "acme/app", "--source", "acme"], "https://github.com/acme/app"),
        (["set", "Acme/app", "--inherit"], "'acme/app' would be right"),
        (["set", "acme/other", "--inherit"], "no repository 'acme/other'"),
        (["show", "acme/other"], "no repository 'acme/other'"),
        (["show", "acme/app", "--registry", "other"], "no registry 'other'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(wharfinger, push, words, why):
    push("acme/app")
    finished = wharfinger("repository", *words)
    assert (finished.status, finished.stdout) == (1, ""), str(finished)
    assert why in finished.stderr


def test_a_namespace_is_claimed_and_says_how_private_its_repositories_begin(done, wharfinger, push):
    push("ann/app")
    done("user", "create", "ann", "--no-password", "--leave")
    assert done("namespace", "set", "ann", "--claim", "--default-visibility", "internal") == [
        "ann belongs to ann; new repositories are internal"
    ]
    assert [line.split()[:4] for line in done("namespace", "list")[1:]] == [["ann", "ann", "internal", "1"]]
    assert done("namespace", "set", "ann", "--release") == [
        "ann belongs to the registry; new repositories are internal"
    ]
    assert "say what to change" in wharfinger("namespace", "set", "ann").stderr
    assert "no account 'bob'" in wharfinger("namespace", "set", "bob", "--claim").stderr


def test_kinds_of_content_are_switched_off_and_on_everywhere_and_in_a_namespace(done, wharfinger):
    assert done("content", "off", "chart", "artifact") == ["switched off in the deployment: artifact, chart"]
    assert done("content", "on", "artifact") == ["switched off in the deployment: chart"]
    assert done("content", "off", "image", "--namespace", "acme") == ["switched off in the namespace acme: image"]
    assert [line.split() for line in done("content", "list")] == [
        ["kind", "deployment"],
        ["image", "on"],
        ["chart", "off"],
        ["artifact", "on"],
    ]
    assert [line.split() for line in done("content", "list", "--namespace", "acme")] == [
        ["kind", "deployment", "acme"],
        ["image", "on", "off"],
        ["chart", "off", "on"],
        ["artifact", "on", "on"],
    ]
    assert [line.split()[-1] for line in done("content", "list", "--namespace", "nobody")[1:]] == ["on", "on", "on"]
    assert wharfinger("content", "off", "layers").status == 2
    yes, but = done("access", "explain", "anonymous", "push", "acme/app")[:2]
    assert yes.startswith("yes: open mode")
    assert but.startswith("but: Pushing container images is switched off in the namespace 'acme'")
    assert (
        "no registry 'other'" in wharfinger("content", "off", "image", "--namespace", "a", "--registry", "other").stderr
    )


def test_the_switches_of_a_registry_are_shown_and_turned(done, wharfinger):
    on = ["anonymous pull on", "namespaces of accounts on", "untagged manifests kept"]
    off = ["anonymous pull off", "namespaces of accounts off", "untagged manifests kept"]
    assert done("registry", "show")[-3:] == on
    assert done("registry", "set", "--no-anonymous-pull", "--no-account-namespaces")[-3:] == off
    assert done("registry", "show", "default")[-3:] == off
    assert done("registry", "set", "default", "--anonymous-pull")[-3] == "anonymous pull on"
    assert "say which" in wharfinger("registry", "set").stderr
    assert "no registry 'other'" in wharfinger("registry", "show", "other").stderr
