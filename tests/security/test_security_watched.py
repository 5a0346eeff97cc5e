# SPDX-License-Identifier: Apache-2.0
"""Files that are read again: when they are looked at, and what counts while they are missing or damaged."""

import asyncio
import os
import shutil

import pytest
from structlog.testing import capture_logs

from tests.services.world import SECOND, FakeClock
from wharfinger.security import watched
from wharfinger.security.watched import LOOK_SECONDS, WatchedFile

LATER = int(LOOK_SECONDS * SECOND)


class Reader:
    """Turns bytes into text, and counts how often it was asked."""

    def __init__(self):
        self.read = 0

    def __call__(self, content):
        self.read += 1
        if content.startswith(b"nonsense"):
            message = "this means nothing"
            raise ValueError(message)
        return content.decode()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def reader():
    return Reader()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    return path


@pytest.fixture
def file(path, reader, clock):
    return WatchedFile(path, reader, clock)


def replace(path, text):
    """Put a new file in the place of the old one, in one step."""
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


async def test_a_file_is_read_once_while_it_stays_as_it_is(file, reader, clock):
    for _ in range(5):
        assert await file.current() == "one"
        clock.move(LATER)
    assert reader.read == 1


async def test_a_file_is_looked_at_once_a_second_at_the_most(file, path, clock):
    replace(path, "two")
    clock.move(LATER - 1)
    assert await file.current() == "one"
    clock.move(1)
    assert await file.current() == "two"


async def test_a_file_that_is_written_in_its_place_is_read_again(file, path, clock):
    path.write_text("longer")
    clock.move(LATER)
    assert await file.current() == "longer"


async def test_a_file_of_the_same_length_and_time_is_another_one(file, path, clock):
    before = path.stat()
    replace(path, "two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.move(LATER)
    assert await file.current() == "two"


async def test_links_are_followed_as_orchestrators_change_them(tmp_path, reader, clock):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link = tmp_path / "data"
    link.symlink_to("one")
    file = WatchedFile(link / "file", reader, clock)
    assert await file.current() == "one"
    other = tmp_path / "other"
    other.symlink_to("two")
    other.replace(link)
    clock.move(LATER)
    assert await file.current() == "two"


async def test_a_file_that_is_away_for_a_moment_changes_nothing(file, path, reader, clock):
    away = path.with_name("away")
    path.rename(away)
    clock.move(LATER)
    with capture_logs() as logs:
        assert await file.current() == "one"
    assert [log["log_level"] for log in logs] == ["warning"]
    assert str(path) in logs[0]["why"]
    away.rename(path)
    clock.move(LATER)
    assert await file.current() == "one"
    assert reader.read == 1


async def test_a_new_file_after_a_moment_without_one_counts(file, path, clock):
    path.unlink()
    clock.move(LATER)
    assert await file.current() == "one"
    path.write_text("two")
    clock.move(LATER)
    assert await file.current() == "two"


async def test_a_damaged_file_leaves_in_force_what_was_read_before_until_it_is_repaired(file, path, clock):
    replace(path, "nonsense")
    clock.move(LATER)
    with capture_logs() as logs:
        assert await file.current() == "one"
    (log,) = logs
    assert log["why"] == f"{path}: this means nothing"
    replace(path, "two")
    clock.move(LATER)
    assert await file.current() == "two"


async def test_a_file_that_is_too_long_is_damaged(path, reader, clock, monkeypatch):
    monkeypatch.setattr(watched, "_MOST_BYTES", 3)
    file = WatchedFile(path, reader, clock)
    replace(path, "four")
    clock.move(LATER)
    with capture_logs() as logs:
        assert await file.current() == "one"
    assert logs[0]["why"] == f"{path}: it has more than 3 bytes"


async def test_a_folder_in_its_place_is_damaged(file, path, clock):
    path.unlink()
    path.mkdir()
    clock.move(LATER)
    assert await file.current() == "one"
    shutil.rmtree(path)


async def test_many_who_ask_at_once_have_it_read_once(file, path, reader, clock):
    replace(path, "two")
    clock.move(LATER)
    assert await asyncio.gather(*(file.current() for _ in range(20))) == ["two"] * 20
    assert reader.read == 2


def test_the_first_reading_must_succeed(path, tmp_path, reader, clock):
    with pytest.raises(FileNotFoundError):
        WatchedFile(tmp_path / "nowhere", reader, clock)
    with pytest.raises(IsADirectoryError):
        WatchedFile(tmp_path, reader, clock)
    path.write_text("nonsense")
    with pytest.raises(ValueError, match=f"{path}: this means nothing"):
        WatchedFile(path, reader, clock)
