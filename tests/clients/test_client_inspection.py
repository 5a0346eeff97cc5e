# SPDX-License-Identifier: Apache-2.0
"""What builders leave in an image is shown as it stood in the build file: Docker Engine's own builder, and buildah."""

import httpx
import pytest

PLAIN = "--tls-verify=false"
BUILD_FILE = """\
FROM scratch
ENV GREETING="hello there" MODE=plain
COPY greeting /etc/greeting
LABEL org.example.team=shop
EXPOSE 8080/tcp
USER 1000:1000
WORKDIR /srv
COPY other /srv/other
ENTRYPOINT ["/greeting"]
CMD ["--loud"]
"""


@pytest.fixture
def folder(tmp_path, name):
    place = tmp_path / "context"
    place.mkdir()
    (place / "Dockerfile").write_text(BUILD_FILE)
    (place / "greeting").write_text(f"greeting of {name}\n")
    (place / "other").write_text(f"other of {name}\n")
    return place


@pytest.fixture
def inside(server, name):
    def ask(tag):
        with httpx.Client(base_url=f"{server.url}/api/v1/repositories/{name}/-", trust_env=False) as http:
            digest = http.get(f"/tags/{tag}").raise_for_status().json()["digest"]
            return http.get(f"/manifests/{digest}").raise_for_status().json()["content"]

    return ask


def check(found):
    """Check what any builder keeps of the build file."""
    config = found["config"]
    assert (found["nature"], found["config_trouble"], config["passed_over"]) == ("image", None, [])
    assert [one for one in config["env"] if not one.startswith("PATH=")] == ["GREETING=hello there", "MODE=plain"]
    assert (config["entrypoint"], config["cmd"]) == (["/greeting"], ["--loud"])
    assert (config["user"], config["working_dir"], config["ports"]) == ("1000:1000", "/srv", ["8080/tcp"])
    assert config["labels"]["org.example.team"] == "shop"
    assert config["created_at"] is not None


def test_what_docker_built_is_shown_with_the_command_of_each_layer(docker, place, folder, inside):
    docker("build", "--tag", f"{place}:v1", folder)
    docker("push", f"{place}:v1")
    found = inside("v1")
    check(found)
    commands = [one["command"] for one in found["layers"]]
    assert all(one is not None for one in commands), found["config"]["history"]
    assert "/etc/greeting" in commands[0]
    assert "/srv/other" in commands[-1]
    assert not any("/bin/sh" in one or "buildkit" in one for one in commands)


def test_what_buildah_built_is_shown_with_the_command_of_each_layer(buildah, place, folder, inside):
    buildah("build", "--layers", "--isolation", "chroot", "--tag", f"{place}:v1", folder)
    buildah("push", PLAIN, f"{place}:v1")
    found = inside("v1")
    check(found)
    copies = [one["command"] for one in found["layers"]]
    assert "/etc/greeting" in copies[0]
    assert "/srv/other" in copies[-1]
    assert all(one["diff_id"].startswith("sha256:") for one in found["layers"])
