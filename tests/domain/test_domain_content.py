# SPDX-License-Identifier: Apache-2.0
"""As which kind of content a manifest counts, what it is attached to, and what a refusal says."""

import json

import pytest

from wharfinger.domain.content import (
    ContentKind,
    KindsOff,
    attached_to,
    counts_as,
    in_words,
    parse_kinds,
    switched_off,
    text_of,
    turned,
)
from wharfinger.domain.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    ManifestRules,
    parse_manifest,
)
from wharfinger.domain.names import RepositoryName

IMAGE, CHART, ARTIFACT = ContentKind.IMAGE, ContentKind.CHART, ContentKind.ARTIFACT
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
HELM = "application/vnd.cncf.helm.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
CACHE = "application/vnd.buildkit.cacheconfig.v0"
DIGEST = "sha256:" + "a" * 64
APP = RepositoryName("acme/app")


def descriptor(media_type, digest=DIGEST):
    return {"mediaType": media_type, "digest": digest, "size": 2}


def read(document):
    return parse_manifest(json.dumps({"schemaVersion": 2, **document}).encode(), None, ManifestRules())


def image(config, *layers, media_type=OCI_MANIFEST, **more):
    listed = [descriptor(layer) for layer in layers]
    return read({"mediaType": media_type, "config": descriptor(config), "layers": listed, **more})


def index(*children, media_type=OCI_INDEX, **more):
    return read({"mediaType": media_type, "manifests": [descriptor(child) for child in children], **more})


@pytest.mark.parametrize(
    ("manifest", "kinds"),
    [
        (image(OCI_CONFIG, LAYER), (IMAGE,)),
        (image(OCI_CONFIG), (IMAGE,)),
        (image(DOCKER_CONFIG, LAYER, media_type=DOCKER_MANIFEST), (IMAGE,)),
        (image("application/octet-stream", LAYER, media_type=DOCKER_MANIFEST), (IMAGE,)),
        (image("application/vnd.docker.plugin.v1+json", LAYER, media_type=DOCKER_MANIFEST), (ARTIFACT,)),
        (index(OCI_MANIFEST), (IMAGE,)),
        (index(), (IMAGE,)),
        (index(DOCKER_MANIFEST, media_type=DOCKER_LIST), (IMAGE,)),
        (index(OCI_MANIFEST, artifactType="application/x-model"), (ARTIFACT,)),
        (index(LAYER, CACHE), (ARTIFACT,)),
        (image(CACHE, LAYER), (ARTIFACT,)),
        (image(HELM, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"), (CHART,)),
        (image(HELM, LAYER, artifactType="application/x-anything"), (CHART,)),
        (image(EMPTY, "application/x", artifactType=HELM), (CHART,)),
        (image(EMPTY, "application/x", artifactType="application/x-model"), (ARTIFACT,)),
        (image("application/vnd.wasm.config.v0+json", "application/wasm"), (ARTIFACT,)),
        (image(EMPTY, COSIGN, artifactType="application/vnd.dev.cosign.artifact.sig.v1+json"), (ARTIFACT,)),
    ],
)
def test_a_manifest_counts_as(manifest, kinds):
    assert counts_as(manifest) == kinds


def test_statements_in_the_clothes_of_an_image_count_as_both():
    assert counts_as(image(OCI_CONFIG, IN_TOTO, IN_TOTO)) == (IMAGE, ARTIFACT)
    assert counts_as(image(OCI_CONFIG, COSIGN)) == (IMAGE, ARTIFACT)


def test_an_image_stays_one_whatever_it_calls_itself_and_whatever_lies_beside_its_layers():
    assert counts_as(image(OCI_CONFIG, LAYER, artifactType="application/x-model")) == (IMAGE,)
    assert counts_as(image(OCI_CONFIG, LAYER, IN_TOTO)) == (IMAGE,)


@pytest.mark.parametrize(
    ("manifest", "tags", "digest"),
    [
        (image(EMPTY, COSIGN, artifactType="application/x", subject=descriptor(OCI_MANIFEST)), (), DIGEST),
        (image(OCI_CONFIG, COSIGN), ("sha256-" + "a" * 64 + ".sig",), DIGEST),
        (image(OCI_CONFIG, IN_TOTO), ("v1", "sha256-" + "a" * 64 + ".att"), DIGEST),
        (index(OCI_MANIFEST), ("sha256-" + "a" * 64,), DIGEST),
        (image(EMPTY, COSIGN), ("sha512-" + "b" * 128,), "sha512:" + "b" * 128),
        (image(EMPTY, COSIGN), ("sha512-" + "b" * 64,), None),
        (image(EMPTY, COSIGN), ("sha256-" + "a" * 64 + ".tar",), None),
        (image(EMPTY, COSIGN), (), None),
        (image(OCI_CONFIG, LAYER, subject=descriptor(OCI_MANIFEST)), (), None),
        (image(OCI_CONFIG, LAYER), ("sha256-" + "a" * 64 + ".sig",), None),
        (image(HELM, LAYER, subject=descriptor(OCI_MANIFEST)), (), None),
    ],
)
def test_what_is_attached_names_to_what_and_images_and_charts_are_attached_to_nothing(manifest, tags, digest):
    assert attached_to(manifest, tags) == digest


def test_content_is_taken_if_one_of_its_kinds_is_on_in_both_places():
    off = KindsOff(frozenset({CHART}), frozenset({ARTIFACT}))
    assert [off.takes((kind,)) for kind in (IMAGE, CHART, ARTIFACT)] == [True, False, False]
    assert off.takes((IMAGE, ARTIFACT))
    assert not off.takes((CHART, ARTIFACT))


def test_switches_that_are_not_named_stay():
    assert turned(frozenset({CHART}), {}) == {CHART}
    assert turned(frozenset({CHART}), {CHART: True, IMAGE: False}) == {IMAGE}
    assert turned(frozenset(), {ARTIFACT: False, CHART: True}) == {ARTIFACT}


def test_kinds_are_written_in_one_order_and_read_back():
    for kinds in (frozenset(), frozenset({IMAGE}), frozenset(ContentKind)):
        assert parse_kinds(text_of(kinds)) == kinds
    assert text_of({IMAGE, ARTIFACT}) == text_of([ARTIFACT, IMAGE]) == "artifact,image"
    assert in_words([]) == "none"


def test_a_refusal_says_what_is_off_where_and_who_switches_it_on():
    both = switched_off((IMAGE,), KindsOff(frozenset({IMAGE}), frozenset({IMAGE})), APP)
    assert both.message == (
        "Pushing container images is switched off in this deployment, where a manager of the deployment can switch "
        "them on again, and in the namespace 'acme', where its owner or a manager of the registry can switch them on "
        "again."
    )
    assert both.detail == {"kind": "image", "switched_off_in": ["deployment", "namespace"]}
    here = switched_off((CHART,), KindsOff(frozenset(), frozenset({CHART})), APP)
    assert "Helm charts is switched off in the namespace 'acme'" in here.message
    assert here.detail == {"kind": "chart", "switched_off_in": ["namespace"]}
