# SPDX-License-Identifier: Apache-2.0
"""Every endpoint is sent what its description allows, and what it does not: it answers as the description says.

The values are drawn by a seed of the endpoint's own, so the same code is asked the same questions. Some are about what
is there, the others about names that the description lets through. `WIDER=10` draws ten times as many.
"""

import os
import re

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.management_api.conftest import PROVIDER, World, furnish
from tests.management_api.test_management_access import INVENTORY, PARAMETERS
from tests.support.accounts import SECRET, Office
from tests.support.memory import data_in_memory
from tests.support.server import Servers
from wharfinger.domain.identity import Scope

EXAMPLES = 2 * int(os.environ.get("WIDER", "1"))
"""Of each kind of question, to each endpoint, by everybody."""
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
"""What takes away comes last."""
ENDPOINTS = sorted(INVENTORY, key=lambda one: (METHODS.index(one[0]), one[1]))
PEOPLE = ("max", "ada")
"""The manager of the deployment, and the admin of one repository."""
KNOWN = {name.strip("{}").removesuffix(":path"): value for name, value in PARAMETERS.items()}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""Whether a refusal was right is what other tests ask: a description cannot say everything that a name must be."""


class Asker:
    """Asks as somebody, with a token that is made anew when a question took it away."""

    def __init__(self, world):
        self._world = world
        self._tokens = {}
        self._session = requests.Session()
        self._session.trust_env = False

    def check(self, case, who):
        """Send a question, and hold the answer against the description."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        answer = case.call(base_url=f"{self._world.server.url}/api/v1", session=self._session, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    def recognise(self, who):
        """Have somebody be known, whatever was done meanwhile."""
        token = self._tokens.get(who)
        if token is None or self._world.bearer("GET", "/version", token).status_code != 200:
            self._tokens[who] = self._world.office.token(who, *Scope).secret


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """Return a registry of these tests' own: nothing in it stays as it was."""
    with data_in_memory() as environment:
        servers = Servers(tmp_path_factory.mktemp("fuzzing"))
        server = servers(environment=environment() | {"REGISTRY_HTTP_SECRET": SECRET, **PROVIDER}, deletion=None)
        with (
            Office(server.environment) as office,
            httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http,
        ):
            yield furnish(World(server, office, http))
        servers.stop()


@pytest.fixture(scope="module")
def asker(furnished):
    return Asker(furnished)


@pytest.fixture(scope="module")
def description(furnished):
    """Return what the registry says of its endpoints."""
    found = furnished.ask("GET", "/openapi.json").json()
    return schemathesis.openapi.from_dict(found)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=" ".join)
def test_an_endpoint_answers_as_its_description_says(asker, description, endpoint, who):
    method, path = endpoint
    operation = description[path.replace(":path}", "}")][method]
    known = {name: KNOWN[name] for name in re.findall(r"{(\w+)", path)}
    right = operation.as_strategy(GenerationMode.POSITIVE, path_parameters=known or None)
    wrong = operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=known or None)
    elsewhere = operation.as_strategy(GenerationMode.POSITIVE)
    asker.recognise(who)
    for number, cases in enumerate([right, wrong, elsewhere]):

        @seed(f"{number} {method} {path}")
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases)
        def answers_as_described(case):
            asker.check(case, who)

        try:
            answers_as_described()
        except Unsatisfiable:
            assert cases is wrong, "only of what is wrong there may be nothing: every path and query can be taken"
