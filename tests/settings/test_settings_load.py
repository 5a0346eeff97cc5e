# SPDX-License-Identifier: Apache-2.0
"""The file: what it sets, and every way in which it can be wrong, with its line."""

import ipaddress
from datetime import timedelta
from pathlib import Path

import pytest

from wharfinger.settings import FileCheck, Platform, Settings, SettingsError, describe, load

SECRET_URL = "postgresql://me:hunter2@host/db"


def test_nothing_said_means_the_defaults(desk):
    loaded = desk.load()
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.notes == loaded.warnings == []


def test_defaults_that_others_count_on():
    settings = Settings()
    assert settings.http.addr == "127.0.0.1:5000"
    assert settings.http.draintimeout == timedelta(seconds=6)
    assert settings.storage.filesystem.reserve == 256 * 2**20
    assert settings.storage.delete.enabled is None
    assert settings.storage.maintenance.uploadpurging.age == timedelta(hours=168)
    assert settings.database.url is None
    assert settings.validation.manifests.maxsize == 4 * 2**20
    assert settings.validation.blobs.maxsize is None
    assert (settings.catalog.maxentries, settings.tags.maxtags) == (1000, 1000)
    assert settings.http.trustedproxies[-1] == "unix"
    assert all(network.is_loopback for network in settings.http.trustedproxies[:-1])


def test_the_file_wins_over_the_default_and_its_line_is_remembered(desk):
    loaded = desk.load("version: 0.1\nhttp:\n  draintimeout: 1m\nlog:\n  level: WARN\n")
    assert loaded.settings.http.draintimeout == timedelta(minutes=1)
    assert loaded.settings.log.level == "warn"
    assert loaded.origins["http.draintimeout"] == f"{desk.path}:3"
    assert loaded.origins["http.addr"] == "default"


def test_lists_names_and_records_are_read(desk):
    settings = desk.settings("""\
        version: 0.1
        log: {fields: {service: 0123, on: yes}}
        http:
          headers: {X-One: [a, b], X-None: }
          trustedproxies: [10.0.0.0/8, unix]
        validation:
          manifests:
            indexes: {platforms: LIST, platformlist: [{os: linux, architecture: arm64}]}
        health:
          file: [{file: /run/stop, interval: 5s}]
        """)
    assert settings.log.fields == {"service": "0123", "on": "yes"}
    assert settings.http.headers == {"X-One": ("a", "b")}
    assert settings.http.trustedproxies == (ipaddress.ip_network("10.0.0.0/8"), "unix")
    assert settings.validation.manifests.indexes.platforms == "list"
    assert settings.validation.manifests.indexes.platformlist == (Platform(architecture="arm64", os="linux"),)
    assert settings.health.file == (FileCheck(file=Path("/run/stop"), interval=timedelta(seconds=5)),)


def test_a_key_without_value_means_the_default(desk):
    settings = desk.settings('version: 0.1\nhttp:\n  addr:\n  host: ""\nstorage:\nauth:\n')
    assert settings == Settings()


def test_a_merged_table_gives_what_is_not_said_itself(desk):
    settings = desk.settings("""\
        version: 0.1
        health:
          tcp:
            - &first {addr: "a:1", timeout: 1s, interval: 2s}
            - {<<: *first, addr: "b:2"}
        """)
    first, second = settings.health.tcp
    assert (second.addr, second.timeout, second.interval) == ("b:2", first.timeout, first.interval)


def test_a_misspelt_key_is_an_error_with_line_and_the_nearest_key(desk):
    text = "version: 0.1\nlog:\n  level: info\n\n\nstorage:\n  filesytem:\n    rootdirectory: /data\n"
    assert desk.refusals(text) == [
        "config.yml:7: storage.filesytem: unknown key; did you mean storage.filesystem?",
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [("storage:\n  rootdirectory: /data", "storage.filesystem.rootdirectory"), ("HTTP: {}", "http"),
     ("http:\n  clientcas: [a]", "http.tls.clientcas"), ("notification: {}", "notifications"),
     ("health:\n  tcp: [{addr: 'a:1', timout: 1s}]", "health.tcp.0.timeout"),
     ("storage: filesytem", "storage.filesystem"), ("auth: htpaswd", "auth.htpasswd")],
)  # fmt: skip
def test_the_nearest_key_is_found_in_other_places_too(desk, text, hint):
    (refusal,) = desk.refusals(f"version: 0.1\n{text}\n")
    assert refusal.endswith(f"unknown key; did you mean {hint}?")


def test_a_key_like_no_other_gets_no_guess(desk):
    assert desk.refusals("version: 0.1\nxylophone: 1\n") == ["config.yml:2: xylophone: unknown key"]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file(desk):
    refusals = desk.refusals("""\
        version: 0.1
        log:
          level: loud
        http:
          draintimeout: soon
          tls:
            key: /k
        storage:
          filesystem:
            maxthreads: 0
            reserve: 5G
          delete:
            enabled: maybe
        """)
    assert [refusal.split(": ")[0] for refusal in refusals] == [f"config.yml:{line}" for line in (3, 5, 6, 10, 11, 13)]
    assert refusals[0] == 'config.yml:3: log.level: "loud" is not possible; give one of error, warn, info, debug'
    assert refusals[2] == "config.yml:6: http.tls.certificate: is missing: a certificate and its key belong together"
    assert refusals[3] == "config.yml:10: storage.filesystem.maxthreads: 0 is outside the range; give 1 or more"


def test_each_wrong_item_of_a_list_is_told_at_its_own_line(desk):
    refusals = desk.refusals("version: 0.1\nhttp:\n  trustedproxies:\n    - 10.0.0.1/8\n    - unix\n    - nobody\n")
    assert [refusal[: refusal.index(": ", 14)] for refusal in refusals] == [
        "config.yml:4: http.trustedproxies.0",
        "config.yml:6: http.trustedproxies.2",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [("http: 5000", "http: is a section and takes no value of its own"),
     ("http: {addr: [a]}", "http.addr: a list is given, but this takes a single value: address or path"),
     ("http: {addr: {a: b}}", "http.addr: a section is given, but this takes a single value: address or path"),
     ("http: {trustedproxies: unix}",
      "http.trustedproxies: a single value is given, but this takes a list of networks, for example [a, b]"),
     ("log: {fields: [a]}", "log.fields: a list is given, but this takes a section: names with text"),
     ("http: {headers: {X-A: b}}",
      "http.headers.X-A: a single value is given, but this takes a list of header values, for example [a, b]"),
     ("http: {headers: {'X A': [b]}}", 'http.headers.X A: "X A" cannot be the name of a header'),
     ('http: {headers: {X-A: ["a\\nb"]}}', "http.headers.X-A.0: the value of a header is one line of plain ASCII"),
     ("health: {tcp: [{timeout: 1s}]}", "health.tcp.0: addr is missing"),
     ("health: {file: [a]}", "health.file.0: is no section; give one with file"),
     ("auth: {none: {realm: x}}", "auth.none: takes no parameters")],
)  # fmt: skip
def test_the_wrong_shape_says_what_is_given_and_what_would_be_right(desk, text, message):
    assert desk.refusals(f"version: 0.1\n{text}\n") == [f"config.yml:2: {message}"]


def test_a_tab_in_the_indentation_is_named_with_its_line(desk):
    assert desk.refusals("version: 0.1\nhttp:\n\taddr: x\n") == [
        "config.yml:3: tab used to indent; YAML takes only spaces",
    ]
    assert desk.refusals("version: 0.1\nhttp:\n  net: tcp\n\taddr: x\n")[0].startswith("config.yml:4: tab used")


def test_broken_yaml_is_told_with_line_and_column(desk):
    with pytest.raises(SettingsError) as caught:
        desk.load("version: 0.1\nhttp: {addr: x\n")
    (problem,) = caught.value.problems
    assert (problem.mark.line, problem.mark.column) == (3, 1)
    assert "is not YAML here" in str(problem)


def test_a_key_said_twice_is_an_error(desk):
    assert desk.refusals("version: 0.1\nhttp:\n  net: tcp\n  host:\n  net: unix\n") == [
        "config.yml:5: http.net: said twice; the first is in line 3",
    ]


def test_a_file_that_refers_to_itself_is_an_error(desk):
    refusals = desk.refusals("version: 0.1\nlog: &log\n  fields: *log\n")
    assert any("refers to itself" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("text", "message"),
    [("http: {}\n", "config.yml: version: is missing; begin the file with version: 0.1"),
     ("", "config.yml: version: is missing; begin the file with version: 0.1"),
     ("version: 0.2\n", 'config.yml:1: version: must be 0.1, not "0.2"'),
     ("version: [0.1]\n", "config.yml:1: version: must be 0.1, not something else"),
     ("- a\n", "config.yml: is not a table of settings; begin with version: 0.1"),
     ("version: 0.1\n\x07", "config.yml: holds a character that YAML does not allow")],
)  # fmt: skip
def test_a_file_is_of_version_0_1(desk, text, message):
    assert message in [
        refusal.replace("config.yml:1: version: is", "config.yml: version: is") for refusal in desk.refusals(text)
    ]


def test_a_file_that_cannot_be_read_is_told_without_a_trace(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.yml: cannot be read: No such file or directory$"):
        load(tmp_path / "none.yml", {})
    (tmp_path / "latin.yml").write_bytes(b"version: 0.1 # \xe9\n")
    with pytest.raises(SettingsError, match=r"latin\.yml: is not UTF-8 text \(byte 15\)$"):
        load(tmp_path / "latin.yml", {})


def test_two_storages_at_once_are_an_error_that_names_both(desk):
    refusals = desk.refusals("version: 0.1\nstorage:\n  filesystem:\n  inmemory:\n")
    assert refusals[0] == (
        "config.yml:2: storage: only one may be given, not filesystem (config.yml:3), inmemory (config.yml:4)"
    )


def test_two_ways_to_sign_in_are_an_error(desk):
    assert "only one may be given" in desk.refusals("version: 0.1\nauth:\n  none:\n  htpasswd: {}\n")[0]


def test_old_keys_mean_the_new_ones_and_say_so(desk):
    loaded = desk.load("version: 0.1\nloglevel: error\nvalidation: {enabled: false}\n")
    assert loaded.settings.log.level == "error"
    assert loaded.settings.validation.disabled is True
    assert loaded.origins["log.level"] == f"{desk.path}:2"
    assert [note.split(": ", 1)[1] for note in loaded.notes] == [
        "loglevel: is out of date; write log.level",
        "validation.enabled: is out of date; write validation.disabled",
    ]


def test_the_new_key_wins_over_the_old_one(desk):
    text = "version: 0.1\nloglevel: error\nlog: {level: debug}\nvalidation: {enabled: false, disabled: false}\n"
    settings = desk.settings(text)
    assert settings.log.level == "debug"
    assert settings.validation.disabled is False


def test_a_page_size_of_nought_or_less_is_the_default_as_in_distribution(desk):
    settings = desk.settings("version: 0.1\ncatalog: {maxentries: -1}\ntags: {maxtags: 7}\n")
    assert (settings.catalog.maxentries, settings.tags.maxtags) == (1000, 7)


def test_a_socket_needs_no_port(desk):
    settings = desk.settings("version: 0.1\nhttp: {net: unix, addr: /run/wharfinger.sock}\n")
    assert settings.http.addr == "/run/wharfinger.sock"
    assert "is not an address" in desk.refusals("version: 0.1\nhttp: {addr: /run/wharfinger.sock}\n")[0]


def test_describe_shows_everything_but_secrets(desk):
    loaded = desk.load("version: 0.1\nhttp: {draintimeout: 90s}\n", {"REGISTRY_DATABASE_URL": SECRET_URL})
    rows = {row.key: row for row in describe(loaded)}
    assert set(rows) == set(loaded.origins)
    assert rows["database.url"].value == "***"
    assert rows["database.url"].origin == "REGISTRY_DATABASE_URL"
    assert (rows["http.draintimeout"].value, rows["http.draintimeout"].origin) == ("1m30s", f"{desk.path}:2")
    assert rows["storage.filesystem.reserve"].value == "256MiB"
    assert rows["http.workers"].value.startswith("auto")
    assert "hunter2" not in repr((loaded, list(rows.values())))


def test_a_wrong_secret_is_not_repeated(desk):
    (refusal,) = desk.refusals(None, {"REGISTRY_DATABASE_URL": "mysql://me:hunter2@host/db"})
    assert refusal.startswith("REGISTRY_DATABASE_URL: database.url: ")
    assert "hunter2" not in refusal
