# SPDX-License-Identifier: Apache-2.0
"""The first minute with a new registry: one command, curl, and a push."""

import json

from tests.support import images


def test_curl_finds_a_registry(server, curl):
    answer = curl("--include", f"localhost:{server.port}/v2/").stdout

    assert answer.startswith("HTTP/1.1 200 OK")
    assert "docker-distribution-api-version: registry/2.0" in answer.lower()
    assert answer.endswith("\n\n{}")


def test_image_tagged_for_localhost_is_pushed_and_seen_by_curl(server, docker, curl, name, tmp_path):
    image = f"localhost:{server.port}/{name}"
    archive = images.write_docker_archive(tmp_path / "a.tar", {"hello:latest": images.busybox(name, says="hello")})
    docker("load", "--input", archive)

    docker("tag", "hello", image)
    docker("push", image)

    listed = curl(f"localhost:{server.port}/v2/{name}/tags/list").stdout
    assert json.loads(listed) == {"name": name, "tags": ["latest"]}
    assert f'"{name}"' in curl(f"localhost:{server.port}/v2/_catalog?n=1000").stdout
