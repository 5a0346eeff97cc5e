# SPDX-License-Identifier: Apache-2.0
"""A registry with a password file: nothing without a right password, and everything with one."""

import base64
import socket
from dataclasses import dataclass
from types import SimpleNamespace

import httpx
import pytest

from tests.protocol.client import Client, codes, refused
from tests.protocol.content import Material
from tests.support.commands import wait_until
from tests.support.images import OCI_MANIFEST, as_json, digest_of
from tests.support.passwords import sign_in_by, write_users
from tests.support.server import Server
from tests.web.scopes import ask, nothing, scope
from wharfinger.distribution_api.door import DistributionAPI
from wharfinger.distribution_api.routes import ROUTES
from wharfinger.domain.errors import TooManyAttempts
from wharfinger.web.authentication import Entrance, basic_challenge
from wharfinger.web.requests import Visit, read_headers
from wharfinger.web.routing import Limits

ANN = ("ann", "canary-right-password")
CHALLENGE = 'Basic realm="Team registry", charset="UTF-8"'
EXISTING, ABSENT = "team/app", "team/nothing-of-this-name"
ZERO = "sha256:" + "0" * 64


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


WRONG = {
    "nothing": None,
    "a wrong password": basic("ann:canary-wrong-password"),
    "an unknown name": basic("bob:canary-right-password"),
    "an empty password": basic("ann:"),
    "the password in other letters": basic("ann:CANARY-RIGHT-PASSWORD"),
    "the password with more behind it": basic("ann:canary-right-password\0"),
    "a password of 1.5 KiB": basic("ann:" + "canary-long-password" * 75),
    "no base64": "Basic !!!",
    "no colon": "Basic " + base64.b64encode(b"ann").decode(),
    "no UTF-8": "Basic " + base64.b64encode(b"ann:\xff").decode(),
    "a token": "Bearer canary-right-password",
    "another scheme": "Digest username=ann",
    "an empty header": "",
}


@dataclass(frozen=True)
class Guarded:
    """A registry with a password file and one image in it."""

    server: Server
    stranger: Client
    ann: Client
    digests: dict
    upload: str

    def paths(self, name):
        """Every route with its method and its path, once for a name that exists and once for one that does not."""
        for route in ROUTES:
            reference = self.digests["manifest"] if "referrers" in route.path else self.digests["layer"]
            path = route.path.format(name=name, digest=reference, upload=self.upload, reference="v1")
            yield route.method, f"/v2/{path}"


@pytest.fixture(scope="module")
def guarded(start, tmp_path_factory):
    users = write_users(tmp_path_factory.mktemp("users") / "users", **dict([ANN]))
    server = start("sqlite", more=sign_in_by(users) | {"REGISTRY_LOG_LEVEL": "debug"})
    with Client.of(server.url) as stranger, Client.of(server.url, auth=ANN) as ann:
        repository = ann.repository(EXISTING)
        document = Material("sign-in").image(repository)
        digests = {"manifest": repository.push(document, "v1"), "layer": document["layers"][0]["digest"]}
        upload = repository.location().rpartition("/")[2].partition("?")[0]
        yield Guarded(server, stranger, ann, digests, upload)


def everything(guarded):
    """What a push or a deletion would change."""
    repository = guarded.ann.repository(EXISTING)
    return {
        "catalog": guarded.ann.get("/v2/_catalog").json()["repositories"],
        "tags": repository.tags(),
        "manifest": repository.manifest("GET", "v1").content,
        "layer": repository.blob("GET", guarded.digests["layer"]).content,
        "upload": repository.request("GET", f"blobs/uploads/{guarded.upload}").headers["Range"],
    }


@pytest.mark.parametrize("shown", WRONG, ids=str)
def test_no_route_answers_anything_but_401_without_a_right_password(guarded, shown):
    headers = {} if WRONG[shown] is None else {"Authorization": WRONG[shown]}
    before = everything(guarded)
    for name in (EXISTING, ABSENT):
        for method, path in guarded.paths(name):
            body = b"x" * 100 if method in {"PUT", "PATCH", "POST"} else None
            answer = guarded.stranger.request(method, path, headers=headers, content=body)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.headers["WWW-Authenticate"] == CHALLENGE
            assert method == "HEAD" or codes(answer) == ["UNAUTHORIZED"]
    assert everything(guarded) == before


@pytest.mark.parametrize("shown", ["nothing", "a wrong password"])
def test_what_exists_cannot_be_told_from_what_does_not(guarded, shown):
    headers = {} if WRONG[shown] is None else {"Authorization": WRONG[shown]}

    def answers(name):
        for method, path in guarded.paths(name):
            answer = guarded.stranger.request(method, path, headers=headers)
            told = {key: value for key, value in answer.headers.items() if key not in {"x-request-id", "date"}}
            told.pop("content-length", None)  # of a body that repeats the name
            yield method, answer.status_code, told, answer.text.replace(name, "NAME")

    assert list(answers(EXISTING)) == list(answers(ABSENT))


@pytest.mark.parametrize("name", ["Team/app", "team//app", "-team", "team/app_", "a" * 300])
@pytest.mark.parametrize("shown", ["nothing", "a wrong password"])
def test_a_malformed_name_is_refused_before_anybody_is_asked_who_they_are(guarded, name, shown):
    headers = {} if WRONG[shown] is None else {"Authorization": WRONG[shown]}
    answer = guarded.stranger.repository(name).request("GET", "tags/list", headers=headers)
    refused(answer, 400, "NAME_INVALID")
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("digest", ["sha256:abc", "sha1:" + "a" * 40, "latest", "sha256:" + "G" * 64])
@pytest.mark.parametrize("path", ["blobs", "referrers"])
def test_a_malformed_digest_is_refused_before_anybody_is_asked_who_they_are(guarded, path, digest):
    answer = guarded.stranger.repository(EXISTING).request("GET", f"{path}/{digest}")
    refused(answer, 400, "DIGEST_INVALID")
    assert "WWW-Authenticate" not in answer.headers


def test_the_message_says_what_to_do(guarded):
    assert "docker login" in refused(guarded.stranger.get("/v2/"), 401, "UNAUTHORIZED")
    pull = guarded.stranger.repository(ABSENT).manifest("GET", "v1")
    assert f"Sign in to pull {ABSENT}" in refused(pull, 401, "UNAUTHORIZED")
    wrong = guarded.stranger.get("/v2/", headers={"Authorization": WRONG["a wrong password"]})
    assert refused(wrong, 401, "UNAUTHORIZED") == "The user name or the password is wrong."
    token = guarded.stranger.get("/v2/", headers={"Authorization": WRONG["a token"]})
    assert "a user name and a password" in refused(token, 401, "UNAUTHORIZED")


def test_with_a_right_password_everything_works(guarded):
    repository = guarded.ann.repository("team/all-of-it")
    material = Material("all-of-it")
    assert guarded.ann.get("/v2/").status_code == 200
    document = material.image(repository, layers=2)
    digest = repository.push(document, "v1", "v2")
    assert repository.tags() == ["v1", "v2"]
    assert repository.manifest("GET", "v1").content == as_json(document)
    chunk = material.bytes("chunk")
    location = repository.patch(repository.location(), chunk).headers["Location"]
    assert repository.finish(location, digest_of(chunk)).status_code == 201
    mounted = repository.start(mount=guarded.digests["layer"], **{"from": EXISTING})
    assert mounted.status_code == 201, mounted.text
    cancelled = repository.location()
    assert guarded.ann.request("DELETE", cancelled).status_code == 204
    assert repository.referrers(digest) == []
    assert "team/all-of-it" in guarded.ann.get("/v2/_catalog").json()["repositories"]
    assert repository.blob("DELETE", digest_of(chunk)).status_code == 202
    assert repository.manifest("DELETE", digest).status_code == 202
    assert repository.tags() == []


def test_every_user_may_do_everything(start, tmp_path):
    users = write_users(tmp_path / "users", ann="one", bob="two")
    server = start("sqlite", more=sign_in_by(users))
    with Client.of(server.url, auth=("ann", "one")) as ann, Client.of(server.url, auth=("bob", "two")) as bob:
        digest = ann.repository("ann/app").push(Material("ann").image(ann.repository("ann/app")), "v1")
        assert bob.repository("ann/app").tags() == ["v1"]
        assert bob.repository("ann/app").manifest("DELETE", digest).status_code == 202


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/debug/health", "/metrics"])
def test_probes_ask_nobody_and_look_at_no_password(guarded, path):
    for headers in ({}, {"Authorization": WRONG["a wrong password"]}):
        answer = httpx.get(guarded.server.url + path, headers=headers)
        assert answer.status_code == 200
        assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("size", [1, 10_000, 200_000])
def test_a_refusal_that_left_a_body_unread_says_that_the_connection_ends(guarded, size):
    stranger = guarded.stranger.repository(EXISTING)
    path = f"{stranger.path}/blobs/uploads/{guarded.upload}"
    for _ in range(3):
        answer = stranger.patch(path, b"x" * size)
        refused(answer, 401, "UNAUTHORIZED")
        assert answer.headers["Connection"] == "close"
    assert "Connection" not in guarded.stranger.get("/v2/").headers


def test_a_client_that_sends_on_reads_the_refusal_whole_and_then_the_end(guarded):
    """As docker's PATCH does: chunks without a length, and no wait for the answer."""
    with socket.create_connection(("127.0.0.1", guarded.server.port), timeout=30) as connection:
        head = f"PATCH /v2/{EXISTING}/blobs/uploads/{guarded.upload} HTTP/1.1\r\nHost: registry.test\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".encode())
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "http/1.1 401 unauthorized"
    assert f"www-authenticate: {CHALLENGE.lower()}" in lines
    assert "connection: close" in lines
    assert f"content-length: {len(body)}" in lines
    assert b'"UNAUTHORIZED"' in body


def test_a_manifest_that_is_refused_is_not_stored_under_its_tag(guarded):
    stranger = guarded.stranger.repository(ABSENT)
    headers = {"Content-Type": OCI_MANIFEST}
    refused(stranger.manifest("PUT", "v1", content=b"{}", headers=headers), 401, "UNAUTHORIZED")
    assert ABSENT not in guarded.ann.get("/v2/_catalog").json()["repositories"]
    assert guarded.ann.repository(ABSENT).manifest("HEAD", "v1").status_code == 404


def test_two_headers_are_refused_although_one_of_them_is_right(guarded):
    """K07 of the corpus."""
    pair = [("Authorization", basic(":".join(ANN))), ("Authorization", WRONG["a wrong password"])]
    for headers in (pair, pair[::-1]):
        answer = guarded.stranger.get("/v2/", headers=headers)
        assert answer.status_code == 400
        assert "authorization comes twice" in answer.text


def test_a_password_of_a_megabyte_is_refused(guarded):
    """K05 of the corpus: with an answer, or by ending the connection, and the next one is served."""
    with socket.create_connection(("127.0.0.1", guarded.server.port), timeout=30) as connection:
        request = f"GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nAuthorization: {basic('ann:' + 'x' * 2**20)}\r\n\r\n"
        status = b""
        try:
            connection.sendall(request.encode())
            status = connection.recv(65_536).partition(b"\r\n")[0]
        except ConnectionError:
            pass  # it was not read to its end
    assert status == b"" or status.split()[1] in {b"400", b"401", b"431"}
    assert guarded.ann.get("/v2/").status_code == 200


def test_a_user_is_added_changed_and_taken_out_without_a_restart(start, tmp_path):
    users = write_users(tmp_path / "users", ann="one")
    server = start("sqlite", workers=2, more=sign_in_by(users))

    def everywhere(expected, *pair):
        """Say whether connections, which several workers take, all give the expected status."""
        return {http.get("/v2/", auth=pair).status_code for _ in range(20)} == {expected}

    with httpx.Client(base_url=server.url, limits=httpx.Limits(max_keepalive_connections=0)) as http:
        assert everywhere(200, "ann", "one")
        write_users(users, ann="two", bob="three")
        wait_until(lambda: everywhere(200, "bob", "three"), why="bob cannot sign in")
        wait_until(lambda: everywhere(401, "ann", "one"), why="the old password still counts")
        assert everywhere(200, "ann", "two")
        users.unlink()
        assert everywhere(200, "ann", "two")
        write_users(users, bob="three")
        wait_until(lambda: everywhere(401, "ann", "two"), why="ann can still sign in")
        assert everywhere(200, "bob", "three")


def test_no_password_is_in_the_log_or_in_the_metrics(guarded):
    with httpx.Client(base_url=guarded.server.url) as http:
        for header in (basic(":".join(ANN)), *WRONG.values()):
            for path in ("/v2/", f"/v2/{EXISTING}/manifests/v1", "/", "/livez"):
                http.get(path, headers={} if header is None else {"Authorization": header})
        metrics = http.get("/metrics").text
    wait_until(lambda: "/livez" in guarded.server.log, why="nothing is in the log")
    shown = [header.partition(" ")[2] for header in (basic(":".join(ANN)), *WRONG.values()) if header]
    for text in (guarded.server.log, metrics):
        assert "canary" not in text
        assert not [one for one in shown if len(one) > 4 and one in text]


@pytest.mark.parametrize("shown", WRONG, ids=str)
def test_open_registry_does_not_look_at_what_is_shown(registry, shown):
    """A proxy in front may have looked at it."""
    headers = {} if WRONG[shown] is None else {"Authorization": WRONG[shown]}
    for method, path in (("GET", "/v2/"), ("GET", "/v2/_catalog"), ("POST", "/v2/open/app/blobs/uploads/")):
        answer = registry.request(method, path, headers=headers)
        assert answer.status_code in {200, 202}
        assert "WWW-Authenticate" not in answer.headers


class Crowded:
    """An identity to which too many come at once."""

    async def recognise(self, _shown, _by, _registry):
        message = "Too many clients are signing in at this moment; try again."
        raise TooManyAttempts(message)


async def test_too_many_at_once_are_told_to_come_back():
    limits = Limits(body_deadline=1, catalog_page=1, tags_page=1)

    async def on_host(_host, _client):
        return None

    services = SimpleNamespace(registries=SimpleNamespace(on_host=on_host))
    door = DistributionAPI(services, limits, Entrance(Crowded(), basic_challenge("Team registry")))

    async def application(request, receive, send):
        visit = Visit("r-1", request["path"], "192.0.2.1", "http", read_headers(request))
        await (await door.answer(request, receive, visit))(request, receive, send)

    answer = await ask(application, scope("/v2/", headers=[("Authorization", basic("ann:x"))]), nothing)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert b'"TOOMANYREQUESTS"' in answer.body
    assert "www-authenticate" not in answer.headers
