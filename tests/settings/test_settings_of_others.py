# SPDX-License-Identifier: Apache-2.0
"""Files that operators bring along: a package's, a container image's, and one with every key there is."""

from datetime import timedelta
from pathlib import Path

import pytest

from wharfinger.settings import describe, load

FILES = Path(__file__).parent / "files"
INSTALLED = Path("/etc/docker/registry/config.yml")
USERS = {Path("/etc/registry/passwords"), Path("/etc/docker/registry")}


@pytest.mark.parametrize("path", [FILES / "packaged.yml", *([INSTALLED] if INSTALLED.exists() else [])], ids=str)
def test_the_file_of_debians_package_loads_and_asks_for_passwords(path):
    loaded = load(path, {})
    assert loaded.settings.auth.kind == "htpasswd"
    assert loaded.settings.auth.htpasswd.path in USERS
    assert str(loaded.settings.auth.htpasswd.path) in path.read_text()
    (warning,) = loaded.warnings
    assert "passwords and tokens travel to :5000 unencrypted" in warning


def test_the_file_of_debians_package_starts_when_the_operator_chooses_open_mode():
    loaded = load(FILES / "packaged.yml", {"REGISTRY_AUTH": "none"})
    assert loaded.settings.http.addr == ":5000"
    assert loaded.settings.storage.delete.enabled is True
    assert loaded.settings.storage.filesystem.rootdirectory == Path("/srv/registry")
    assert loaded.settings.health.storagedriver.threshold == 3
    assert loaded.settings.auth.kind == "none"
    assert loaded.settings.auth.htpasswd.path is None
    (warning,) = loaded.warnings
    assert "whoever reaches :5000 may push" in warning


def test_the_file_of_the_container_image_loads_with_notes():
    loaded = load(FILES / "container.yml", {})
    assert loaded.settings.log.fields == {"service": "registry"}
    assert loaded.settings.http.headers == {"X-Content-Type-Options": ("nosniff",)}
    assert [note.split(": ")[1] for note in loaded.notes] == ["storage.cache", "storage.tag", "http.addr"]
    assert [warning.split(": ")[1] for warning in loaded.warnings] == ["http.addr"]


def test_a_file_with_every_key_of_distribution_loads():
    loaded = load(FILES / "everything.yml", {})
    settings = loaded.settings
    assert settings.auth.kind == "none"
    assert settings.log.level == "debug"
    assert settings.http.prefix == "/my/nested/registry/"
    assert settings.http.draintimeout == timedelta(seconds=60)
    assert settings.http.tls.minimumtls == "tls1.3"
    assert settings.http.debug.prometheus.enabled is True
    assert settings.health.http[0].statuscode == 204
    assert settings.validation.manifests.urls.allow == (r"^https?://([^/]+\.)*example\.com/",)
    assert settings.catalog.maxentries == 1000
    assert loaded.warnings == []


def test_no_secret_of_that_file_is_ever_shown():
    loaded = load(FILES / "everything.yml", {})
    shown = repr(loaded) + "".join(loaded.notes) + repr(list(describe(loaded)))
    for secret in ("hooksecret", "httpsecret", "listenersecret", "redissecret", "checksecret"):
        assert secret in (FILES / "everything.yml").read_text()
        assert secret not in shown
