# SPDX-License-Identifier: Apache-2.0
"""Storages and domains in the settings: what does not go together stops the start, with a sentence that says what."""

import ipaddress

import pytest

from wharfinger.settings import load
from wharfinger.settings.problems import SettingsError

PRIVATE = {"REGISTRY_REGISTRIES_PRIVATEDOMAIN": "in.test", "REGISTRY_REGISTRIES_PRIVATENETWORKS_0": "10.0.0.0/8"}


def settings(variables):
    return load(None, variables).settings


def storages(*listed):
    return {
        f"REGISTRY_STORAGES_{number}_{key}": value for number, one in enumerate(listed) for key, value in one.items()
    }


def test_storages_come_from_the_file_and_from_variables(tmp_path):
    path = tmp_path / "config.yml"
    path.write_text("version: 0.1\nauth: none\nstorages:\n  - name: team\n    rootdirectory: /srv/team\n")
    (one,) = load(path, {}).settings.storages
    assert (one.name, str(one.rootdirectory)) == ("team", "/srv/team")
    (other,) = settings(storages({"NAME": "fast", "ROOTDIRECTORY": "/srv/fast"})).storages
    assert (other.name, str(other.rootdirectory)) == ("fast", "/srv/fast")


def test_domains_are_read_in_lower_case():
    found = settings({"REGISTRY_REGISTRIES_PUBLICDOMAIN": "Registry.Example.COM.", **PRIVATE}).registries
    assert (found.publicdomain, found.privatedomain) == ("registry.example.com", "in.test")
    assert found.privatenetworks == (ipaddress.IPv4Network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (storages({"NAME": "default", "ROOTDIRECTORY": "/a"}), "default is the storage of the section `storage`"),
        (storages({"NAME": "Team", "ROOTDIRECTORY": "/a"}), "is not a name of a storage"),
        (storages({"NAME": "team"}), "rootdirectory is missing"),
        (
            storages({"NAME": "a", "ROOTDIRECTORY": "/a"}, {"NAME": "a", "ROOTDIRECTORY": "/b"}),
            "is the name of storages.0 too",
        ),
        (
            storages({"NAME": "a", "ROOTDIRECTORY": "/a"}, {"NAME": "b", "ROOTDIRECTORY": "/x/../a"}),
            "is the directory of storages.0 too",
        ),
        (storages({"NAME": "a", "ROOTDIRECTORY": "/var/lib/registry/"}), "is the directory of storage.filesystem too"),
        (
            storages({"NAME": "a", "ROOTDIRECTORY": "/var/lib/registry/wharfinger/blobs"}),
            "lies within that of storage.filesystem",
        ),
        ({"REGISTRY_REGISTRIES_PUBLICDOMAIN": "https://registry.test"}, "is not a domain"),
        ({"REGISTRY_REGISTRIES_PUBLICDOMAIN": "registry.test:5000"}, "is not a domain"),
        ({"REGISTRY_REGISTRIES_PUBLICDOMAIN": "10.0.0.1"}, "is not a domain"),
        ({"REGISTRY_REGISTRIES_PRIVATEDOMAIN": "in.test"}, "private endpoints would answer nobody"),
        ({"REGISTRY_REGISTRIES_PUBLICDOMAIN": "in.test", **PRIVATE}, "is the public domain too"),
        ({**PRIVATE, "REGISTRY_REGISTRIES_PRIVATENETWORKS_0": "unix"}, "is neither an address nor a network"),
        ({**PRIVATE, "REGISTRY_REGISTRIES_PRIVATENETWORKS_0": "10.0.0.1/8"}, "has bits behind its mask"),
    ],
)
def test_what_does_not_go_together_stops_the_start(variables, sentence):
    with pytest.raises(SettingsError, match=sentence):
        settings(variables)
