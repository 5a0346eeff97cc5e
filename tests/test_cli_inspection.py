# SPDX-License-Identifier: Apache-2.0
"""`wharfinger tag show` and `compare`, as an operator uses them beside a running registry."""

import pytest

from tests.protocol.client import Client
from tests.support.builds import NOTATION, attach, build, several
from tests.support.server import Server
from tests.support.shell import run_wharfinger

NAME = "acme/app"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("inspection") / "registry") as running, Client.of(running.url) as client:
        repository = client.repository(NAME)
        for tag, words in (("v1", {"MODE": "old"}), ("v2", {"MODE": "new"})):
            images = {
                machine: build(
                    repository,
                    ("ADD rootfs /", b"base" + machine.encode()),
                    ("RUN /bin/sh -c make # buildkit", f"{tag} {machine}".encode()),
                    architecture=machine,
                    inside={
                        "Env": [f"{name}={value}" for name, value in words.items()],
                        "Entrypoint": ["/app"],
                        "Labels": {"shown": "\x1b[31mred\u202e"},
                    },
                )
                for machine in ("amd64", "arm64")
            }
            digest = repository.push(several(repository, images), tag)
        attach(repository, digest, NOTATION, b"jose")
        yield running


@pytest.fixture
def call(server, tmp_path):
    def run_it(*words):
        return run_wharfinger(
            *words,
            environment=server.environment | {"COLUMNS": "250"},
            cwd=tmp_path,
            timeout=60,
        )

    return run_it


def lines(finished):
    assert finished.status == 0, str(finished)
    return [line.split() for line in finished.stdout.splitlines()]


def test_a_tag_is_shown_with_what_is_inside(call):
    shown = lines(call("tag", "show", f"{NAME}:v2"))
    facts = {line[0]: line[1:] for line in shown if line}
    assert facts["kind"] == ["index"]
    assert facts["for"] == ["linux/amd64,", "linux/arm64"]
    assert facts["attached"][:2] == ["signature", "(Notation)"]
    assert (facts["env"], facts["runs"], facts["created"]) == (["MODE=new"], ["/app"], ["2026-05-01"])
    assert [line[4:] for line in shown[-2:]] == [["ADD", "rootfs", "/"], ["RUN", "make"]]
    arm = lines(call("tag", "show", f"{NAME}:v2", "--platform", "linux/arm64"))
    assert next(line for line in arm if line[0] == "shown")[1] == "linux/arm64"
    assert "there are: linux/amd64" in call("tag", "show", f"{NAME}:v2", "--platform", "linux/mips").stderr


def test_a_terminal_is_not_commanded_by_what_somebody_pushed(call):
    found = call("tag", "show", f"{NAME}:v1").stdout
    assert "shown=\\u001b[31mred\\u202e" in found
    assert "\x1b[31m" not in found


def test_two_tags_are_compared(call):
    shown = lines(call("tag", "compare", f"{NAME}:v1", "v2"))
    assert [line[0] for line in shown if line and line[0] in {"same", "removed", "added"}] == [
        "same",
        "removed",
        "added",
    ]
    assert ["environment", "MODE", "old", "new"] in shown
    assert shown[2][:3] == ["download", "8", "B"]
    same = call("tag", "compare", f"{NAME}:v1", f"{NAME}:v1")
    assert "both are the same manifest" in same.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("v1", "v2"), "name the first one whole"),
        ((f"{NAME}:v1", "v3"), "no tag 'v3'"),
        ((f"{NAME}:v1", "acme/other:v1"), "no repository 'acme/other'"),
        ((f"{NAME}:v1", "acme/other"), "no tag"),
    ],
)
def test_what_cannot_be_compared_says_what_would_be_right(call, words, said):
    finished = call("tag", "compare", *words)
    assert finished.status == 1
    assert said in finished.stderr
    assert "Traceback" not in finished.output
