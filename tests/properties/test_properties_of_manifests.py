# SPDX-License-Identifier: Apache-2.0
"""Manifests: what is built right is read back as built, and no bytes make the parser fail in another way than ours."""

import base64
import hashlib
import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.properties.strategies import digests, refusal
from wharfinger.domain.errors import ManifestInvalid, ManifestTooLarge, WharfingerError
from wharfinger.domain.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    EdgeKind,
    ManifestRules,
    media_type_of,
    parse_manifest,
    referrer_descriptor,
)

RULES = ManifestRules()
media_types = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+-", min_size=1, max_size=40).map("application/".__add__)
annotations = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8")))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def descriptors(draw):
    content = draw(st.none() | st.binary(max_size=40))
    found = {"mediaType": draw(media_types), "digest": draw(digests), "size": draw(st.integers(0, 2**63 - 1))}
    if content is not None:
        found["digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        found["size"] = len(content)
        found["data"] = base64.b64encode(content).decode()
    if draw(st.booleans()):
        found["annotations"] = draw(annotations)
    return found


@st.composite
def documents(draw):
    """Return a valid manifest or index as a dictionary."""
    media_type = draw(st.sampled_from([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST]))
    document = {"schemaVersion": 2, "mediaType": media_type}
    entries = draw(st.lists(descriptors(), max_size=5))
    if media_type in {OCI_INDEX, DOCKER_LIST}:
        document["manifests"] = entries
    else:
        document |= {"config": draw(descriptors()), "layers": entries}
    optional = {
        "artifactType": media_types,
        "annotations": annotations,
        "subject": descriptors(),
        "org.example.unknown": json_values.filter(lambda value: "NaN" not in json.dumps(value)),
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            document[name] = draw(values)
    return document


def encoded(document, indent=None):
    return json.dumps(document, indent=indent).encode()


@given(documents(), st.sampled_from([None, 0, 3]), st.sampled_from(["", "; charset=utf-8", " ;x=y"]))
def test_valid_manifest_is_read_back_as_it_was_built(document, indent, parameter):
    assume("Infinity" not in json.dumps(document))
    manifest = parse_manifest(encoded(document, indent), document["mediaType"] + parameter, RULES)
    assert manifest.media_type == document["mediaType"]
    assert dict(manifest.annotations) == document.get("annotations", {})
    assert (manifest.subject.digest if manifest.subject else None) == document.get("subject", {}).get("digest")
    expected = [(EdgeKind.CONFIG, document["config"])] if "config" in document else []
    expected += [(EdgeKind.LAYER, entry) for entry in document.get("layers", [])]
    expected += [(EdgeKind.CHILD, entry) for entry in document.get("manifests", [])]
    assert [
        (edge.kind, edge.descriptor.media_type, edge.descriptor.digest, edge.descriptor.size) for edge in manifest.edges
    ] == [(kind, entry["mediaType"], entry["digest"], entry["size"]) for kind, entry in expected]
    assert [edge.position for edge in manifest.edges] == list(range(len(expected)))


@given(documents(), digests)
def test_referrer_descriptor_says_what_the_manifest_says(document, digest):
    assume("Infinity" not in json.dumps(document))
    shown = referrer_descriptor(parse_manifest(encoded(document), None, RULES), digest, 7)
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    expected = {
        "mediaType": document["mediaType"],
        "digest": digest,
        "size": 7,
        "artifactType": kind,
        "annotations": document.get("annotations"),
    }
    assert shown == {name: value for name, value in expected.items() if value}
    json.dumps(shown, allow_nan=False)


@given(documents(), st.data())
def test_one_wrong_value_anywhere_is_refused_or_read_but_never_crashes(document, data):
    place = data.draw(st.sampled_from(sorted(document)))
    target, key = document, place
    inner = document[place]
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        target, key = inner, data.draw(st.sampled_from(sorted(inner)))
    target[key] = data.draw(json_values)
    error = refusal(parse_manifest, encoded(document), None, RULES)
    if error is not None:
        assert type(error) is ManifestInvalid
        assert error.message.isprintable()
    else:
        manifest = parse_manifest(encoded(document), None, RULES)
        json.dumps(referrer_descriptor(manifest, "sha256:" + "0" * 64, 1), ensure_ascii=False).encode("utf-8")


@given(
    st.binary(max_size=200) | json_values.map(encoded), st.sampled_from([None, OCI_MANIFEST, OCI_INDEX, "text/html"])
)
def test_noise_is_refused_as_an_invalid_manifest(content, content_type):
    with pytest.raises(ManifestInvalid):
        parse_manifest(content, content_type, RULES)


@given(documents(), st.sampled_from(["schemaVersion", "mediaType", "config", "manifests"]))
def test_key_that_occurs_twice_is_refused(document, key):
    assume(key in document)
    text = json.dumps(document)
    twice = "{" + json.dumps(key) + ": " + json.dumps(document[key]) + ", " + text[1:]
    with pytest.raises(ManifestInvalid, match="twice"):
        parse_manifest(twice.encode(), document["mediaType"], RULES)


@given(documents(), st.integers(0, 400))
def test_size_limit_counts_every_byte(document, limit):
    assume("Infinity" not in json.dumps(document))
    content = encoded(document)
    rules = ManifestRules(max_size=limit)
    if len(content) > limit:
        with pytest.raises(ManifestTooLarge):
            parse_manifest(content, None, rules)
    else:
        assert parse_manifest(content, None, rules).media_type == document["mediaType"]


@given(st.text() | media_types)
def test_media_type_loses_parameters_and_capitals_only(text):
    found = media_type_of(text)
    assert found is None or found == found.strip().lower()
    assert media_type_of(f"{text.upper()} ; charset=utf-8") == media_type_of(text.upper())


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schemaVersion":' + b"9" * 1_000_000 + b"}",
        b'{"schemaVersion":1e' + b"9" * 1_000_000 + b"}",
        b'"' + b"\\ud800" * 150_000 + b'"',
        b'{"layers":[' + b"{}," * 300_000 + b"{}]}",
    ],
    ids=["lists", "objects", "digits", "exponent", "surrogates", "entries"],
)
def test_hostile_document_of_a_megabyte_is_refused_within_a_second(content):
    begin = time.perf_counter()
    with pytest.raises(WharfingerError):
        parse_manifest(content, OCI_MANIFEST, RULES)
    assert time.perf_counter() - begin < 1
