# SPDX-License-Identifier: Apache-2.0
"""The commands as an operator runs them: what they print, and the status they end with."""

import contextlib
import os
import pty
import re
import signal
import socket
import stat
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.commands import clean_environment, free_port, run, spawn, tail, wait_until
from tests.support.server import COMMAND, Server
from wharfinger.settings import describe, load

WHARFINGER = COMMAND[0]


@pytest.fixture
def environment(tmp_path):
    """Return variables for a registry of its own."""
    return {
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": tmp_path / "data",
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{free_port()}",
        "REGISTRY_HTTP_WORKERS": "1",
    }


@pytest.fixture
def wharfinger(environment, tmp_path):
    """Run a command to its end."""

    def call(*words, **more):
        return run(WHARFINGER, *words, check=False, environment={**environment, **more}, cwd=tmp_path, timeout=60)

    return call


def assert_refused(finished, *words):
    """Hold a refusal against what is promised: status 1, and a sentence where others would show a traceback."""
    assert finished.status == 1, str(finished)
    assert "Traceback" not in finished.output, str(finished)
    for word in words:
        assert re.search(word, finished.stderr), str(finished)


def test_the_version_is_printed(wharfinger):
    for word in ("version", "--version"):
        finished = wharfinger(word)
        assert (finished.status, finished.stdout) == (0, version("wharfinger") + "\n")


def test_without_a_command_the_commands_are_listed(wharfinger):
    for words in ((), ("--help",)):
        shown = wharfinger(*words).output
        assert all(word in shown for word in ("serve", "check", "work", "migrate", "version"))


def test_a_check_leaves_one_file_of_the_database_that_others_cannot_read(wharfinger, tmp_path):
    for words in (("migrate",), ("check",)):
        assert wharfinger(*words).status == 0
        folder = tmp_path / "data" / "wharfinger"
        assert [one.name for one in folder.iterdir() if one.name.startswith("wharfinger.db")] == ["wharfinger.db"]
        assert stat.S_IMODE((folder / "wharfinger.db").stat().st_mode) == 0o640
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750


@pytest.mark.parametrize("words", [("sail",), ("serve", "--fast"), ("check", "a.yml", "b.yml")])
def test_a_command_that_is_wrong_itself_ends_with_2(wharfinger, words):
    assert wharfinger(*words).status == 2


def test_check_prints_what_is_in_force_and_where_it_came_from(wharfinger, tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    maxthreads: 30\n")
    finished = wharfinger("check", str(config), REGISTRY_LOG_LEVEL="error")
    assert finished.status == 0, str(finished)
    rows = {line.split()[0]: line.split() for line in finished.stdout.splitlines() if line.strip()}
    assert rows["log.level"] == ["log.level", "error", "REGISTRY_LOG_LEVEL"]
    assert rows["storage.filesystem.maxthreads"][1:] == ["30", f"{config}:6"]
    assert rows["http.http2.disabled"][-1] == "default"
    assert "the settings are valid" in finished.stdout


def test_off_a_terminal_no_line_is_folded(wharfinger, tmp_path):
    """Whoever searches a log for a key, or for a sentence, finds it in one piece; `COLUMNS` does not matter."""
    folder = tmp_path / " ".join(["a", "long", "name"] * 10) / ("x" * 100)
    finished = wharfinger("check", REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=folder, REGISTRY_AUTH="none", COLUMNS="40")
    assert finished.status == 0, str(finished)
    (line,) = (line for line in finished.stdout.splitlines() if line.startswith("storage.filesystem.rootdirectory"))
    assert line.split(maxsplit=1)[1].split("  ")[0] == str(folder)
    assert line.endswith("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY")
    refused = wharfinger("check", REGISTRY_HTTP_ADDR=":5000", COLUMNS="40")
    assert_refused(refused, r"REGISTRY_HTTP_ADDR: http\.addr: :5000 is reachable .* to let everybody in\n")


def test_on_a_terminal_keys_are_not_folded(environment, tmp_path):
    """A narrow terminal folds values; a key in two pieces can be neither found nor copied."""
    shown = _on_a_terminal(WHARFINGER, "check", environment={**environment, "COLUMNS": "60"}, cwd=tmp_path)
    first_words = {line.split()[0] for line in shown.splitlines() if line.strip()}
    keys = {row.key for row in describe(load(None, {}))}
    assert keys <= first_words
    assert max(len(line) for line in shown.splitlines() if line.startswith("auth.")) <= 60


def test_check_hides_secrets(wharfinger):
    """Also in what it says of a database that does not answer."""
    url = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/nothing"
    finished = wharfinger("check", REGISTRY_DATABASE_URL=url)
    assert finished.status == 1
    assert "hunter2" not in finished.output


def test_check_says_what_is_wrong_with_the_store(wharfinger, tmp_path):
    (tmp_path / "data" / "wharfinger").mkdir(parents=True)
    (tmp_path / "data" / "wharfinger" / "blobs").write_text("a file where a folder should be")
    assert_refused(wharfinger("check"), "storage")


def test_an_unknown_key_is_refused_with_the_nearest_one(wharfinger, tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("version: 0.1\nstorage:\n  filesystem:\n    rootdirectry: /data\n")
    for command in ("check", "serve", "work", "migrate"):
        assert_refused(wharfinger(command, str(config)), r"config\.yml:4", "rootdirectory")


def test_a_file_that_is_not_there_is_named(wharfinger):
    assert_refused(wharfinger("check", "nowhere.yml"), r"nowhere\.yml")


@pytest.mark.parametrize("command", ["serve", "check", "work", "migrate"])
def test_a_root_directory_that_cannot_be_made_is_named_with_its_setting(wharfinger, command):
    refused = wharfinger(command, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="/proc/nope")
    assert_refused(refused, r"storage\.filesystem\.rootdirectory: /proc/nope\S* cannot be made: No such file")
    assert "Errno" not in refused.output


def test_images_of_distribution_are_not_passed_over_silently(wharfinger, tmp_path):
    """Its repositories lie in the same root directory, and would seem to be lost."""
    assert "CNCF" not in wharfinger("check").output
    images = tmp_path / "data" / "docker" / "registry" / "v2" / "repositories"
    (images / "hello" / "_layers").mkdir(parents=True)
    sentence = f"{images} holds images of CNCF distribution: they are not served, and nothing of them is touched"
    finished = wharfinger("check")
    assert finished.status == 0, str(finished)
    assert sentence in finished.stderr
    data = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": tmp_path / "data"}
    with Server(tmp_path / "server", environment=data) as server:
        assert sentence in server.log
    assert [path.name for path in images.rglob("*")] == ["hello", "_layers"]


def test_serve_says_where_it_starts(tmp_path):
    with Server(tmp_path) as server:
        assert f"Wharfinger {version('wharfinger')}, starting at {server.url}\n" in server.log


def test_serve_says_how_sign_in_begins_as_long_as_nobody_has_an_account(tmp_path):
    with Server(tmp_path) as server:
        assert "wharfinger init NAME" in server.log
    environment = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": tmp_path / "data"}
    made = run(COMMAND[0], "user", "create", "ann", "--no-password", environment=environment, cwd=tmp_path)
    assert "new database" not in made.stderr
    with Server(tmp_path, environment=environment) as server:
        assert server.log.count("starting at") == 2  # both starts
        assert server.log.count("wharfinger init NAME") == 1


def test_serve_refuses_an_address_that_somebody_has(wharfinger, environment, tmp_path):
    host, _, port = environment["REGISTRY_HTTP_ADDR"].partition(":")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, int(port)))
        other.listen()
        refused = wharfinger("serve")
    assert_refused(refused, f"cannot listen at {host}:{port}", "in use")
    assert "starting" not in refused.output
    assert not (tmp_path / "data").exists()


def test_serve_refuses_to_be_open_to_other_machines(wharfinger):
    assert_refused(wharfinger("serve", REGISTRY_HTTP_ADDR=f"0.0.0.0:{free_port()}"), "auth|open|loopback")
    assert_refused(wharfinger("serve", REGISTRY_HTTP_ADDR=f":{free_port()}"), "auth|open|loopback")


def test_serve_refuses_what_it_does_not_do(wharfinger, tmp_path):
    config = tmp_path / "config.yml"
    config.write_text("version: 0.1\nproxy:\n  remoteurl: https://registry-1.docker.io\n")
    assert_refused(wharfinger("serve", str(config)), "proxy")


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_password_file_that_cannot_be_read_stops_the_start(wharfinger, tmp_path, command):
    """The file of Debian's package names a folder, and an example may name what does not exist yet."""
    users = tmp_path / "users"
    variables = {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_PATH": str(users)}
    assert_refused(wharfinger(command, **variables), rf"auth\.htpasswd: {users}: No such file", "does not start")
    users.write_bytes(b"ann:\xff\n")
    assert_refused(wharfinger(command, **variables), rf"auth\.htpasswd: {users}: .*utf-8")
    users.unlink()
    users.mkdir()
    assert_refused(wharfinger(command, **variables), rf"auth\.htpasswd: {users}: Is a directory")
    assert not (tmp_path / "data").exists() or command == "check"


@pytest.mark.parametrize("command", ["serve", "check", "work", "migrate"])
def test_a_database_that_does_not_answer_is_said_in_a_sentence(wharfinger, command):
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    assert_refused(wharfinger(command, REGISTRY_DATABASE_URL=url), "(?i)database|PostgreSQL")


def test_a_database_that_is_migrated_by_hand_waits_for_the_hand(wharfinger, environment, tmp_path):
    config = "version: 0.1\ndatabase:\n  migrate: manual\n"
    (tmp_path / "config.yml").write_text(config)
    for command in ("serve", "work", "check"):
        assert_refused(wharfinger(command, "config.yml"), "database is at nothing")
    assert "migrated from nothing" in wharfinger("migrate", "config.yml").stdout
    assert "up to date" in wharfinger("migrate", "config.yml").stdout
    assert wharfinger("check", "config.yml").status == 0
    data = str(environment["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"])
    with Server(
        tmp_path / "server", config=config, environment={"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": data}
    ) as server:
        assert server.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_runs_until_it_is_told_to_stop(environment, tmp_path, number):
    log = tmp_path / "log"
    process = spawn(WHARFINGER, "work", log=log, environment=environment, cwd=tmp_path)
    database = tmp_path / "data" / "wharfinger" / "wharfinger.db-shm"
    wait_until(lambda: database.exists() and _catches(process.pid, number), why=lambda: tail(log))
    process.send_signal(number)
    assert process.wait(20) == 0, tail(log)


def _on_a_terminal(*command, environment, cwd):
    """Run a command whose standard output is a terminal, and return what it shows, without styles."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=clean_environment(environment),
        cwd=cwd,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says that nobody writes any more by an error
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert process.wait(60) == 0, shown.decode()
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())


def _catches(pid, number):
    """Whether the process has a handler for the signal: before that, it would end by default."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:"))
    wakeup = int(caught.split()[1], 16)
    return bool(wakeup >> (signal.SIGTERM - 1) & 1) and bool(wakeup >> (number - 1) & 1)
