# SPDX-License-Identifier: Apache-2.0
"""The description of the API, what it costs to start, and what its toolkit must not do."""

import json
import re
import subprocess
import sys

import pytest

from tests.console.registry import Site as Registry
from wharfinger.management_api.calls import Everybody
from wharfinger.management_api.description import operation_of
from wharfinger.management_api.routes import ROUTES
from wharfinger.management_api.routing import Route
from wharfinger.management_api.site import Site

SITE = Site()
DOCUMENT = SITE.document


def test_a_route_without_a_need_cannot_be_made():
    with pytest.raises(TypeError):
        Route("GET", "/nothing", handler=ROUTES[0].handler)


def test_what_everybody_may_without_being_asked_is_only_what_describes_the_api():
    public = {route.path for route in ROUTES if isinstance(route.need, Everybody)}
    assert public == {"/openapi.json", "/problems", "/problems/{problem}"}


def test_every_endpoint_is_described_with_its_answers_and_its_errors():
    for route in ROUTES:
        operation = operation_of(DOCUMENT, route)
        assert operation["description"].endswith("."), route.path
        assert operation["operationId"] == route.handler.__name__
        answers = operation["responses"]
        assert str(route.status) in answers
        if not isinstance(route.need, Everybody):
            assert {"400", "401", "403", "429", "500", "503"} <= set(answers), route.path
        if "requestBody" in operation:
            assert {"413", "415", "422"} <= set(answers), route.path
            assert operation["requestBody"]["required"]
        for status, answer in answers.items():
            if status >= "4":
                assert list(answer["content"]) == ["application/problem+json"], route.path
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (route.path, parameter["name"])


def test_operation_ids_are_unique_and_every_field_of_a_body_refuses_strangers():
    ids = [route.handler.__name__ for route in ROUTES]
    assert len(ids) == len(set(ids))
    for route in ROUTES:
        body = operation_of(DOCUMENT, route).get("requestBody")
        if body is not None:
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False, name


def test_every_reference_of_the_document_leads_somewhere():
    text = json.dumps(DOCUMENT)
    for name in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert name in DOCUMENT["components"]["schemas"]
    assert "HTTPValidationError" not in text


async def test_the_document_and_links_lie_below_the_prefix_of_the_site(tmp_path):
    async with Registry(tmp_path, HTTP_PREFIX="/hub/") as site:
        answer = await site.ask("/hub/api/v1/openapi.json")
        assert answer.json()["servers"] == [{"url": "/hub/api/v1"}]
        assert (await site.ask("/api/v1/openapi.json")).status_code == 404
        assert (await site.ask("/hub/api/v1/repositories")).status_code == 200


async def test_without_accounts_repositories_can_be_seen_and_nobody_becomes_administrator(tmp_path):
    async with Registry(tmp_path) as site:
        assert (await site.ask("/api/v1/repositories")).json() == {"items": [], "next": None}
        for path in ("/me", "/users", "/deployment/grants", "/events", "/registries"):
            assert (await site.ask(f"/api/v1{path}")).status_code == 403, path
        answer = await site.ask("/api/v1/users", "POST", json={"name": "mallory", "password": "correct horse"})
        assert answer.status_code == 403
        assert "wharfinger init" in answer.json()["detail"]
        assert (await site.ask("/api/v1/repositories")).status_code == 200  # still open


def test_starting_the_server_loads_nothing_of_the_toolkit():
    program = (
        "import sys, wharfinger.application; "
        "assert not {'fastapi', 'pydantic', 'opentelemetry'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_no_variable_of_the_environment_has_the_toolkit_tell_others():
    """FastAPI can send traces with bodies of requests to where `OTEL_*` says; here it may not, whatever is set."""
    assert SITE._app._telemetry | {"exclude": None} == {
        "tracer_provider": None,
        "meter_provider": None,
        "logger_provider": None,
        "tracing": False,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "auto_configure": False,
        "exclude": None,
    }
