# SPDX-License-Identifier: Apache-2.0
"""The configuration of an image: what builders write, and what somebody writes who means harm."""

import json

import pytest

from wharfinger.clock import SECOND
from wharfinger.domain.image_config import MOST_STEPS, instruction_of, parse_image_config, parse_time, read_object


def parse(**document):
    return parse_image_config(json.dumps(document).encode())


def test_what_docker_writes_is_read():
    found = parse(
        architecture="arm64",
        os="linux",
        variant="v8",
        created="2026-05-01T13:00:00.123456789Z",
        author="Ann",
        config={
            "User": "app",
            "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
            "Env": ["PATH=/bin", "A=1=2", "EMPTY", "A=again"],
            "Entrypoint": ["/app"],
            "Cmd": ["--serve"],
            "Volumes": {"/data": {}},
            "WorkingDir": "/srv",
            "Labels": {"a": "b"},
            "StopSignal": "SIGINT",
            "Shell": ["/bin/bash"],
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1},
        },
        rootfs={"type": "layers", "diff_ids": ["sha256:1"]},
        history=[{"created_by": "x", "comment": "c", "created": "2026-05-01T13:00:00Z"}, {"empty_layer": True}],
    )
    assert (found.architecture, found.system, found.variant) == ("arm64", "linux", "v8")
    assert found.created_at == parse_time("2026-05-01T13:00:00Z") + 123456
    assert found.environment == (("PATH", "/bin"), ("A", "1=2"), ("EMPTY", ""), ("A", "again"))
    assert (found.entrypoint, found.command, found.user) == (("/app",), ("--serve",), "app")
    assert (found.ports, found.volumes) == (("53/udp", "8080/tcp"), ("/data",))
    assert (found.working_directory, found.labels, found.stop_signal) == ("/srv", {"a": "b"}, "SIGINT")
    assert (found.shell, found.health_check) == (("/bin/bash",), ("CMD", "true"))
    assert [(step.created_by, step.is_empty) for step in found.steps] == [("x", False), ("", True)]
    assert found.layer_contents == ("sha256:1",)
    assert found.passed_over == ()


def test_what_go_writes_for_nothing_is_nothing():
    found = parse(config=None, history=None, rootfs=None, created="0001-01-01T00:00:00Z")
    assert found == parse()
    assert found.created_at is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"os": 7}, "os"),
        ({"created": ["now"]}, "created"),
        ({"config": "sh"}, "config"),
        ({"config": {"Env": "A=b"}}, "config.Env"),
        ({"config": {"Env": ["A=b", 3]}}, "config.Env"),
        ({"config": {"Labels": {"a": {"b": "c"}}}}, "config.Labels"),
        ({"config": {"ExposedPorts": ["80"]}}, "config.ExposedPorts"),
        ({"config": {"Healthcheck": {"Test": True}}}, "config.Healthcheck.Test"),
        ({"history": [1]}, "history"),
        ({"rootfs": {"diff_ids": {}}}, "rootfs.diff_ids"),
    ],
)
def test_a_field_of_the_wrong_type_is_named_and_hides_no_other(document, field):
    found = parse(**document, architecture="amd64")
    assert found.passed_over == (field,)
    assert found.architecture == "amd64"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"\xff{}", b'{"a":NaN}', b"{" * 10, b'{"a":' * 200_000, b"[" * 2_000_000],
    ids=["empty", "list", "null", "not utf-8", "nan", "cut", "deep objects", "deep lists"],
)
def test_what_is_no_object_is_refused_in_a_sentence(content):
    with pytest.raises(ValueError, match=r"^It is n.*\.$"):
        parse_image_config(content)


def test_every_text_can_be_encoded():
    found = parse_image_config(
        b'{"author":"\\ud800","config":{"Env":["\\udfff=\\ud801"],"Labels":{"\\ud802":"\\ud803"}}}'
    )
    texts = (found.author, *found.environment[0], *found.labels, *found.labels.values())
    assert all(text.encode() == b"?" for text in texts)


def test_numbers_without_end_cost_nothing():
    assert read_object(b'{"a":' + b"9" * 100_000 + b"}")["a"] == float("inf")


def test_steps_are_limited():
    assert len(parse(history=[{}] * (MOST_STEPS + 5)).steps) == MOST_STEPS


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c apt-get update && apt-get install -y git", "RUN apt-get update && apt-get install -y git"),
        ("RUN /bin/sh -c make # buildkit", "RUN make"),
        ("RUN |2 A=1 B=x y /bin/sh -c make # buildkit", "RUN make"),
        ("|1 A=1 /bin/sh -c make", "RUN make"),
        ("COPY . /app # buildkit", "COPY . /app"),
        ('ENTRYPOINT ["/bin/sh"]', 'ENTRYPOINT ["/bin/sh"]'),
        ("|1 odd", "|1 odd"),
        ("bazel build ...", "bazel build ..."),
        ("", ""),
    ],
)
def test_a_command_is_shown_as_it_stood_in_the_build_file(written, shown):
    assert instruction_of(written) == shown


@pytest.mark.parametrize(
    "text", ["", "now", "1066-10-14T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_what_is_no_time_is_none(text):
    assert parse_time(text) is None


def test_a_time_keeps_its_zone():
    assert parse_time("2026-05-01T15:00:00+02:00") == parse_time("2026-05-01T13:00:00Z")
    assert parse_time("1970-01-01T00:00:01Z") == SECOND
