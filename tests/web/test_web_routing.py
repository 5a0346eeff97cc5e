# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfinger.distribution_api.routes import ROUTES
from wharfinger.domain.access import Action
from wharfinger.domain.errors import EndpointUnknown, MethodUnsupported
from wharfinger.domain.names import MAX_NAME_DEPTH, parse_repository_name
from wharfinger.web.routing import NAME, Route, Router, inventory

router = Router(ROUTES)
WORDS = ["manifests", "blobs", "uploads", "tags", "list", "referrers", "_catalog", "v2", "a", "0", "a-b", "oci", "ext"]
names = (
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=MAX_NAME_DEPTH)
    .map("/".join)
    .filter(lambda name: "_catalog" not in name)
)
DIGEST = "sha256:" + "a" * 64
parameters = st.sampled_from(
    ["latest", "list", "v1.0", "manifests", "sha256:" + "a" * 64, "uploads", "x", "tags", "ext"]
)
routes = st.sampled_from([route for route in ROUTES if route.path.startswith(NAME)])


@given(routes, names, parameters)
def test_every_path_of_every_route_leads_to_it_and_gives_back_its_parts(route, name, parameter):
    """Names may be made of the very words that routes are made of."""
    parse_repository_name(name)
    *tail, last = route.path.split("/")[1:]
    is_open = last.startswith("{")
    # `…/blobs/uploads` begins an upload; what is asked of blobs is a digest, and that is no word.
    asked = DIGEST if last == "{digest}" else parameter
    path = "/".join((name, *tail, asked if is_open else last))
    match = router.match(route.method, path)
    assert (match.route, match.name, match.parameter) == (route, name, asked if is_open else last)


@given(names, parameters, st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
def test_one_endpoint_answers_any_path(name, parameter, method):
    for path in (f"{name}/{parameter}", f"{name}/manifests/{parameter}", f"{name}/blobs/uploads/{parameter}"):
        fitting = {route.path for route in ROUTES if _could_be(route, path)}
        try:
            found = {router.match(method, path).route.path}
        except MethodUnsupported:
            continue
        except EndpointUnknown:
            found = set()
        assert found <= fitting
        assert bool(found) == bool(fitting)


def _could_be(route, path):
    if not route.path.startswith(NAME):
        return route.path == path
    tail, parts = route.path.split("/")[1:], path.split("/")
    if len(parts) <= len(tail):
        return False
    return all(want.startswith("{") or want == part for want, part in zip(tail, parts[-len(tail) :], strict=True))


@pytest.mark.parametrize(
    ("path", "name", "parameter"),
    [
        ("foo/manifests/bar/manifests/v1", "foo/manifests/bar", "v1"),
        ("a/blobs/uploads/b/blobs/uploads/", "a/blobs/uploads/b", ""),
        ("blobs/uploads/blobs/uploads/x", "blobs/uploads", "x"),
        ("tags/list/tags/list", "tags/list", "list"),
        ("a/b/c/d/e/f/g/h/i/manifests/latest", "a/b/c/d/e/f/g/h/i", "latest"),
    ],
)
def test_the_name_is_all_before_the_last_words(path, name, parameter):
    method = "POST" if path.endswith("/") else "GET"
    match = router.match(method, path)
    assert (match.name, match.parameter) == (name, parameter)


@pytest.mark.parametrize(
    "path",
    ["nothing", "a/b", "manifests/v1", "/manifests/v1", "blobs/uploads/", "a/tags/other", "a/manifests/", "_catalog/",
     "tags/list", "a/_oci/ext/other", "a//", "//", "a/blobs/uploads/x/y"],
)  # fmt: skip
def test_other_paths_are_no_endpoint(path):
    try:
        match = router.match("GET", path)
    except EndpointUnknown:
        return
    assert match.parameter == ""  # `a/manifests/`: an endpoint, whose handler refuses the empty reference


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "a/manifests/v1", ("DELETE", "GET", "HEAD", "PUT")),
        ("POST", "_catalog", ("GET",)),
        ("PUT", "", ("GET", "HEAD")),
        ("GET", "a/blobs/uploads/", ("POST",)),
        ("G" * 100, "a/tags/list", ("GET",)),
    ],
)
def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(method, path, allowed):
    with pytest.raises(MethodUnsupported) as raised:
        router.match(method, path)
    assert raised.value.allowed == allowed
    assert len(raised.value.message) < 150


def test_a_literal_goes_before_a_parameter_whatever_the_order():
    async def handler(_call):
        raise AssertionError

    table = [
        Route("GET", "{name}/things/{one}", Action.PULL, handler),
        Route("GET", "{name}/things/all", Action.PULL, handler),
    ]
    for ordered in (table, table[::-1]):
        assert Router(ordered).match("GET", "a/things/all").route.path == "{name}/things/all"
        assert Router(ordered).match("GET", "a/things/other").parameter == "other"


def test_the_inventory_names_the_action_of_every_route():
    found = inventory(ROUTES)
    assert len(found) == len(ROUTES)
    assert found["DELETE", "{name}/manifests/{reference}"] is Action.DELETE
    assert {action for (method, path), action in found.items() if "uploads" in path} == {Action.PUSH}
