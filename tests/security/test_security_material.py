# SPDX-License-Identifier: Apache-2.0
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from wharfinger.security import material
from wharfinger.security.envelope import LEAST_MATERIAL
from wharfinger.security.material import MaterialUnusable, from_file, from_text

AT_ONCE = 8


def test_a_file_is_made_once_for_its_owner_alone_and_then_read(tmp_path):
    path = tmp_path / "secret"
    before = os.umask(0)
    try:
        content = from_file(path)
    finally:
        os.umask(before)
    assert from_file(path) == content == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(content) == 32
    assert from_file(tmp_path / "other") != content
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other", "secret"]


def test_all_that_ask_at_once_get_what_the_first_one_wrote(tmp_path, monkeypatch):
    """Everybody has seen that there is no file before the first one writes it."""
    path, everybody, really_make = tmp_path / "secret", threading.Barrier(AT_ONCE), material._make

    def make(path):
        everybody.wait(20)
        return really_make(path)

    monkeypatch.setattr(material, "_make", make)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = set(threads.map(lambda _: from_file(path), range(AT_ONCE)))
    assert found == {path.read_bytes()}
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("length", [0, 1, LEAST_MATERIAL - 1])
def test_a_file_that_lost_something_is_not_replaced(tmp_path, length):
    path = tmp_path / "secret"
    path.write_bytes(b"x" * length)
    with pytest.raises(MaterialUnusable, match=rf"has {length} bytes instead of 32; restore it from a backup"):
        from_file(path)
    assert path.read_bytes() == b"x" * length


def test_where_no_file_can_be_the_error_names_it(tmp_path):
    with pytest.raises(MaterialUnusable, match=r"nowhere/secret: No such file or directory"):
        from_file(tmp_path / "nowhere" / "secret")
    with pytest.raises(MaterialUnusable, match="Is a directory"):
        from_file(tmp_path)


def test_a_disk_that_fails_leaves_no_half_of_a_secret(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MaterialUnusable, match="No space left on device"):
        from_file(tmp_path / "secret")
    assert list(tmp_path.iterdir()) == []


def test_an_operators_secret_is_taken_as_it_is_if_it_is_long_enough():
    assert from_text("x" * LEAST_MATERIAL, "http.secret") == b"x" * LEAST_MATERIAL
    with pytest.raises(MaterialUnusable) as refused:
        from_text("canary", "http.secret")
    assert str(refused.value) == f"http.secret has 6 bytes; accounts need {LEAST_MATERIAL} random ones or more"
