# SPDX-License-Identifier: Apache-2.0
"""What distribution knows and we do not do: accepted with a note, or start-up stops; never silence."""

import pytest

from wharfinger.settings import Settings
from wharfinger.settings.kinds import leaves
from wharfinger.settings.unsupported import FOREIGN

HARMLESS = {
    "storage.cache": "{blobdescriptor: redis, blobdescriptorsize: 10}",
    "storage.tag": "{concurrencylimit: 8}",
    "storage.redirect": "{disable: true}",
    "redis": "{addr: 'localhost:6379', password: hunter2, pool: {maxidle: 3}}",
    "http.relativeurls": "true",
    "http.tls.clientauth": "request-client-cert",
    "log.reportcaller": "true",
}
STOPPING = {
    "log.hooks": ("[{type: mail, levels: [panic]}]", "[{type: mail, disabled: true}]"),
    "notifications": ("{endpoints: [{name: a, url: http://x}]}", "{events: {includereferences: true}, endpoints: []}"),
    "proxy": ("{remoteurl: https://registry-1.docker.io, password: hunter2}", "{remoteurl: '', username: u}"),
    "middleware": ("{storage: [{name: redirect}]}", "{storage: [{name: redirect, disabled: true}], registry: []}"),
    "reporting": ("{bugsnag: {apikey: hunter2}}", "{bugsnag: {apikey: ''}, newrelic: {verbose: false}}"),
    "http.tls.clientcas": ("[/ca.pem]", "[]"),
    "http.tls.letsencrypt": ("{cachefile: /c, email: e, hosts: [h]}", "{cachefile: '', email: , hosts: []}"),
    "http.tls.ciphersuites": ("[TLS_AES_128_GCM_SHA256]", "[]"),
    "policy": ("{repository: {classes: [image]}}", "{repository: {classes: []}}"),
    "compatibility": ("{schema1: {enabled: true}}", "{schema1: {enabled: false, signingkeyfile: /k}}"),
}
ALWAYS = [row.key for row in FOREIGN if row.key.startswith(("auth.", "storage.")) and row.key not in HARMLESS]


def written(key, value):
    *above, last = key.split(".")
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(above)]
    return "\n".join(["version: 0.1", *lines, f"{'  ' * len(above)}{last}: {value}", ""])


def test_every_row_of_the_table_is_tried_here_and_none_is_ours():
    assert {row.key for row in FOREIGN} == {*HARMLESS, *STOPPING, *ALWAYS}
    assert not {row.key for row in FOREIGN} & {leaf.key for leaf in leaves(Settings())}


@pytest.mark.parametrize("key", HARMLESS)
def test_a_harmless_key_is_accepted_with_a_note_that_says_why(desk, key):
    (note,) = desk.notes(written(key, HARMLESS[key]))
    assert f": {key}: accepted, and nothing needs to be done: " in note
    assert "hunter2" not in note


@pytest.mark.parametrize("key", STOPPING)
def test_a_key_that_changes_what_happens_stops_start_up(desk, key):
    (refusal,) = desk.refusals(written(key, STOPPING[key][0]))
    assert f": {key}: " in refusal
    assert "refusing to start rather than" in refusal
    assert "hunter2" not in refusal


@pytest.mark.parametrize("key", STOPPING)
def test_the_same_key_empty_or_switched_off_is_accepted_with_a_note(desk, key):
    (note,) = desk.notes(written(key, STOPPING[key][1]))
    assert note.endswith(f": {key}: accepted: it is empty or switched off, so nothing is missing")


@pytest.mark.parametrize("value", ["", "{}", "{realm: r}"])
@pytest.mark.parametrize("key", ALWAYS)
def test_naming_another_way_to_sign_in_or_to_store_is_enough_to_stop(desk, key, value):
    (refusal,) = desk.refusals(written(key, value))
    assert f": {key}: is known, but not built yet; refusing to start rather than run without it" in refusal


@pytest.mark.parametrize(("section", "kind"), [key.split(".") for key in ALWAYS])
def test_so_is_the_short_form(desk, section, kind):
    (refusal,) = desk.refusals(f"version: 0.1\n{section}: {kind}\n")
    assert refusal.startswith(f"config.yml:2: {section}.{kind}: is known, but not built yet")


def test_variables_reach_what_is_not_built_too(desk):
    environ = {
        "REGISTRY_PROXY_REMOTEURL": "https://registry-1.docker.io",
        "REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL": "http://x",
    }
    refusals = desk.refusals(None, environ)
    assert {refusal.split(": ")[1] for refusal in refusals} == {"proxy", "notifications"}


def test_a_section_that_is_not_understood_stops_start_up(desk):
    (refusal,) = desk.refusals("version: 0.1\nproxy: https://registry-1.docker.io\n")
    assert ": proxy: is known, but not built yet" in refusal
