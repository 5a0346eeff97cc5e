# SPDX-License-Identifier: Apache-2.0
"""What each process loads: a node is ready sooner for every module that waits until somebody needs it."""

import subprocess
import sys

import typer

from tests.support.commands import clean_environment
from wharfinger import cli

DOORS = {"wharfinger.distribution_api", "wharfinger.management_api", "wharfinger.console", "wharfinger.web"}
SIGNATURES = {"cryptography", "jwt", "argon2", "bcrypt"}
TOOLS = {"alembic", "fastapi", "pydantic", "httpx", "psycopg"}


def loaded_by(*statements):
    """Return every module that a fresh interpreter has after some statements."""
    program = "\n".join((*statements, "import sys", "print(*sys.modules)"))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=clean_environment()
    )
    return set(done.stdout.split())


def test_the_main_process_loads_nothing_that_serves():
    loaded = loaded_by("import wharfinger.cli.serving")
    unwanted = {
        *DOORS,
        *SIGNATURES,
        *TOOLS,
        "wharfinger.services",
        "wharfinger.bootstrap",
        "wharfinger.workers",
        "jinja2",
    }
    assert loaded & unwanted == set()


def test_a_worker_loads_the_pages_with_the_first_of_them():
    loaded = loaded_by("import wharfinger.application")
    assert loaded & {*TOOLS, "wharfinger.console", "jinja2", "babel", "typer"} == set()


def test_a_process_that_says_nothing_does_not_load_what_writes_lines():
    silent = "from wharfinger import telemetry; telemetry.configure_log('info', 'json', {})"
    assert "structlog" not in loaded_by("import wharfinger.application", silent)
    assert "structlog" in loaded_by(silent, "telemetry.logger('a room').info('hello')")


def test_the_jobs_load_no_door():
    loaded = loaded_by("import wharfinger.server", "import wharfinger.bootstrap")
    assert loaded & {*DOORS, *TOOLS, "starlette", "jinja2", "typer"} == set()


def test_a_start_at_the_newest_schema_does_not_load_the_migration_tool(tmp_path):
    environment = f"{{'REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY': {str(tmp_path)!r}}}"
    migrate = (
        "from wharfinger import storage",
        "from wharfinger.settings import load",
        f"storage.migrate(load(None, {environment}).settings)",
    )
    assert "alembic" in loaded_by(*migrate)
    assert "alembic" not in loaded_by(*migrate)


def test_a_command_loads_its_own_module_only():
    loaded = loaded_by("import typer, wharfinger.cli as cli", "typer.main.get_command(cli.app).commands['certificate']")
    assert {name for name in loaded if name.startswith("wharfinger.cli.")} == {
        "wharfinger.cli.certificate",
        "wharfinger.cli.terminal",
    }


def test_every_command_is_where_it_is_said_to_be():
    commands = typer.main.get_command(cli.app).commands
    assert {name: command.name for name, command in commands.items()} == {name: name for name in commands}
    assert "nonsense" not in commands
    assert commands.get("nonsense") is None
