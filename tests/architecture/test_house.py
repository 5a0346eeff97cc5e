# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that a program can check: routes, errors, floors, sizes and names."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.papers import ROOT
from wharfinger.distribution_api.errors import TABLE
from wharfinger.distribution_api.routes import ROUTES
from wharfinger.domain.access import Action
from wharfinger.domain.errors import WharfingerError
from wharfinger.management_api import problems
from wharfinger.web.routing import Route, inventory

SOURCE = ROOT / "src" / "wharfinger"
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_MODULE, MAX_FUNCTION = 450, 60
LONGER = {
    "settings/tree.py": "one row for each setting, and nothing else",
    "metadata/migrations/versions/v0001_first_schema.py": "every table, and nothing else",
}
MIGRATIONS = SOURCE / "metadata" / "migrations" / "versions"
"""Scripts that are never read again once they have run; a table is as long as it is."""
SPECIFIED_CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}
PROTOCOL = {
    ("GET", ""): Action.VISIT,
    ("HEAD", ""): Action.VISIT,
    ("GET", "_catalog"): Action.LIST,
    ("GET", "_oci/ext/discover"): Action.VISIT,
    ("GET", "{name}/_oci/ext/discover"): Action.PULL,
    ("GET", "{name}/blobs/{digest}"): Action.PULL,
    ("HEAD", "{name}/blobs/{digest}"): Action.PULL,
    ("DELETE", "{name}/blobs/{digest}"): Action.DELETE,
    ("POST", "{name}/blobs/uploads/"): Action.PUSH,
    ("POST", "{name}/blobs/uploads"): Action.PUSH,
    ("GET", "{name}/blobs/uploads/{upload}"): Action.PUSH,
    ("PATCH", "{name}/blobs/uploads/{upload}"): Action.PUSH,
    ("PUT", "{name}/blobs/uploads/{upload}"): Action.PUSH,
    ("DELETE", "{name}/blobs/uploads/{upload}"): Action.PUSH,
    ("GET", "{name}/manifests/{reference}"): Action.PULL,
    ("HEAD", "{name}/manifests/{reference}"): Action.PULL,
    ("PUT", "{name}/manifests/{reference}"): Action.PUSH,
    ("DELETE", "{name}/manifests/{reference}"): Action.DELETE,
    ("GET", "{name}/tags/list"): Action.PULL,
    ("GET", "{name}/referrers/{digest}"): Action.PULL,
}


def test_the_routes_are_these_and_each_needs_this_action():
    assert inventory(ROUTES) == PROTOCOL
    assert len(ROUTES) == len(PROTOCOL)


def test_a_route_without_an_action_cannot_be_made():
    with pytest.raises(TypeError):
        Route("GET", "{name}/blobs/{digest}", handler=ROUTES[0].handler)


def test_every_error_has_its_row():
    assert set(TABLE) == set(_leaves(WharfingerError))
    assert set(problems.TABLE) == set(_leaves(WharfingerError))
    assert all(400 <= status < 600 for status in problems.TABLE.values())


def _leaves(kind):
    """Every class that is raised: those without subclasses, and those that the table answers besides."""
    below = kind.__subclasses__()
    return [
        *([kind] if not below or kind in TABLE else []),
        *(leaf for one in below if one.__module__ == WharfingerError.__module__ for leaf in _leaves(one)),
    ]


def test_every_answer_has_a_code_of_the_specification():
    for kind, (status, code) in TABLE.items():
        assert 400 <= status < 600, kind
        assert code in (SPECIFIED_CODES if status < 500 else {"UNAVAILABLE", "UNKNOWN"}), kind


def test_the_floors_are_kept():
    checker = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([checker, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_begins_with_its_licence_and_its_purpose(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("folder", ["tests", "tools", "bench"])
def test_programs_beside_the_product_begin_with_their_licence(folder):
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not text or text.startswith("# SPDX-License-Identifier: Apache-2.0\n"), path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_fits_in_a_head_and_a_function_on_a_screen(path):
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(SOURCE))
    assert (len(text.splitlines()) > MAX_MODULE) == (name in LONGER)
    if not path.is_relative_to(MIGRATIONS):
        functions = (
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        long = {node.name: lines for node in functions if (lines := node.end_lineno - node.lineno + 1) > MAX_FUNCTION}
        assert not long


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_names_say_what_a_thing_is(path):
    words = {"utils", "util", "common", "helpers", "helper", "misc", "core", "base"}
    name = str(path.relative_to(SOURCE))
    assert not words & set(path.relative_to(SOURCE).with_suffix("").parts) or name == "blobstore/base.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert not re.search(r"(Manager|Helper|Service|Impl)$|^Abstract", node.name), node.name


def test_only_the_settings_read_the_environment():
    allowed = {"settings/environment.py", "telemetry.py", "failpoints.py"}
    readers = {
        str(path.relative_to(SOURCE)) for path in MODULES if re.search(r"os\.(environ|getenv)\b", path.read_text())
    }
    assert readers <= allowed
