# SPDX-License-Identifier: Apache-2.0
"""What a manifest holds: kinds of content, platforms, and which step made which layer."""

import json

import pytest

from wharfinger.domain.artifacts import Nature, Part, predicate_name, recognise
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import QueryInvalid
from wharfinger.domain.image_config import ImageConfig, Step
from wharfinger.domain.inspection import (
    Base,
    Piece,
    Variant,
    base_of,
    choose,
    layers_of,
    read_chart,
    read_document,
)
from wharfinger.domain.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from wharfinger.domain.platforms import Platform, parse_platform

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"


def part(media_type, **annotations):
    return Part(media_type=media_type, annotations=annotations)


@pytest.mark.parametrize(
    ("media_type", "artifact_type", "parts", "nature", "forms"),
    [
        (OCI_MANIFEST, OCI_CONFIG, (), Nature.IMAGE, ()),
        (DOCKER_MANIFEST, "application/vnd.docker.container.image.v1+json", (), Nature.IMAGE, ()),
        (OCI_INDEX, None, (), Nature.INDEX, ()),
        (DOCKER_LIST, None, (), Nature.INDEX, ()),
        (OCI_INDEX, None, (part("application/vnd.buildkit.cacheconfig.v0"),), Nature.CACHE, ("BuildKit",)),
        (OCI_INDEX, "application/x", (), Nature.ARTIFACT, ()),
        (OCI_MANIFEST, "application/vnd.cncf.helm.config.v1+json", (), Nature.CHART, ("Helm",)),
        (
            OCI_MANIFEST,
            "application/vnd.cncf.notary.signature",
            (part("application/jose+json"),),
            Nature.SIGNATURE,
            ("Notation",),
        ),
        (
            OCI_MANIFEST,
            OCI_CONFIG,
            (part("application/vnd.dev.cosign.simplesigning.v1+json"),),
            Nature.SIGNATURE,
            ("cosign",),
        ),
        (OCI_MANIFEST, "application/spdx+json", (part("application/spdx+json"),), Nature.SBOM, ("SPDX",)),
        (OCI_MANIFEST, EMPTY, (part("application/vnd.cyclonedx+json"),), Nature.SBOM, ("CycloneDX",)),
        (
            OCI_MANIFEST,
            OCI_CONFIG,
            (
                part(IN_TOTO, **{"in-toto.io/predicate-type": "https://spdx.dev/Document"}),
                part(IN_TOTO, **{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}),
            ),
            Nature.ATTESTATION,
            ("SPDX", "SLSA provenance"),
        ),
        (OCI_MANIFEST, IN_TOTO, (part(IN_TOTO),), Nature.ATTESTATION, ("in-toto",)),
        (OCI_MANIFEST, IN_TOTO, (), Nature.ATTESTATION, ("in-toto",)),
        (
            OCI_MANIFEST,
            "application/vnd.wasm.config.v0+json",
            (part("application/wasm"),),
            Nature.MODULE,
            ("WebAssembly",),
        ),
        (OCI_MANIFEST, "application/vnd.example.thing", (part("application/spdx+json"),), Nature.ARTIFACT, ()),
        (OCI_MANIFEST, EMPTY, (), Nature.ARTIFACT, ()),
    ],
)
def test_content_is_recognised(media_type, artifact_type, parts, nature, forms):
    found = recognise(media_type, artifact_type, parts)
    assert (found.nature, found.forms) == (nature, forms)


def test_a_bundle_says_itself_what_it_holds():
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    envelope = {"dev.sigstore.bundle.content": "dsse-envelope"}
    about = "dev.sigstore.bundle.predicateType"
    assert recognise(OCI_MANIFEST, bundle).nature is Nature.SIGNATURE
    found = recognise(OCI_MANIFEST, bundle, annotations={**envelope, about: "https://slsa.dev/provenance/v1"})
    assert (found.nature, found.forms) == (Nature.ATTESTATION, ("SLSA provenance",))
    signed = recognise(OCI_MANIFEST, bundle, annotations={**envelope, about: "https://sigstore.dev/cosign/sign/v1"})
    assert signed.nature is Nature.SIGNATURE


def test_a_predicate_that_nobody_knows_is_its_own_name():
    assert predicate_name("https://example.com/mine") == "https://example.com/mine"


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm64/v8", "windows(10.0.20348.1)/amd64"])
def test_a_platform_is_read_as_it_is_written(text):
    assert str(parse_platform(text)) == text


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/a/b/c", "li nux/amd64", "<b>/amd64", "ลินุกซ์/amd64"])
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(QueryInvalid, match="linux/amd64"):
        parse_platform(text)


def variant(platform, *, here=True, **annotations):
    found = None if platform is None else parse_platform(platform)
    content = f"{platform}{annotations}".encode()
    piece = Piece(media_type=OCI_MANIFEST, digest=digest_of(content), size=1, platform=found, annotations=annotations)
    return Variant(piece=piece, platform=found, is_here=here)


def attestation(of):
    words = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of.piece.digest}
    return variant("unknown/unknown", **words)


def test_most_people_get_the_image_for_their_machine():
    arm, amd, cut = variant("linux/arm64"), variant("linux/amd64"), variant("linux/amd64", here=False)
    assert choose([arm, cut, amd], None) is amd
    assert choose([attestation(arm), cut, arm], None) is arm
    assert choose([cut], None) is None
    assert choose([amd, arm], None, Platform(system="linux", architecture="arm64")) is arm
    assert choose([amd, arm], None, Platform(system="plan9", architecture="arm64")) is amd


def test_a_platform_is_chosen_by_as_much_of_it_as_is_said():
    v7, v8 = variant("linux/arm/v7"), variant("linux/arm/v8")
    old, new = variant("windows(10.0.1)/amd64"), variant("windows(10.0.2)/amd64")
    every = [v7, v8, old, new]
    assert choose(every, "linux/arm/v8") is v8
    assert choose(every, "linux/arm") is v7
    assert choose(every, "windows/amd64") is old
    assert choose(every, "windows(10.0.2)/amd64") is new
    assert choose(every, new.piece.digest) is new


def test_a_platform_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(QueryInvalid, match="there are: linux/amd64"):
        choose([variant("linux/amd64"), variant("unknown/unknown")], "linux/s390x")


def test_an_attestation_speaks_of_the_image_beside_it():
    image = variant("linux/amd64")
    assert attestation(image).piece.attests == image.piece.digest
    assert not attestation(image).is_runnable
    assert image.piece.attests is None
    wrong = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "<script>"}
    assert variant("unknown/unknown", **wrong).piece.attests is None


def document(**more):
    content = {"schemaVersion": 2, "layers": [{"mediaType": "l", "digest": digest_of(b"1"), "size": 1}] * 2, **more}
    return read_document(json.dumps(content).encode(), OCI_MANIFEST)


def test_steps_without_a_layer_are_left_out_when_layers_get_their_commands():
    steps = (Step(created_by="ADD"), Step(created_by="ENV", is_empty=True), Step(created_by="RUN"))
    config = ImageConfig(steps=steps, layer_contents=("sha256:a", "sha256:b"))
    found = layers_of(document(), config, [digest_of(b"1")])
    assert [layer.step.created_by for layer in found] == ["ADD", "RUN"]
    assert [layer.content for layer in found] == ["sha256:a", "sha256:b"]
    assert all(layer.is_here for layer in found)


def test_a_history_that_does_not_fit_names_no_command():
    for steps in ((), (Step(),), (Step(),) * 3):
        found = layers_of(document(), ImageConfig(steps=steps, layer_contents=("x",)), ())
        assert [(layer.step, layer.content, layer.is_here) for layer in found] == [(None, None, False)] * 2


def test_bytes_of_a_layer_that_comes_twice_are_fetched_once():
    config = {"mediaType": OCI_CONFIG, "digest": digest_of(b"c"), "size": 10}
    assert document(config=config).size == 11


def test_the_base_is_an_annotation_or_else_a_label():
    words = {"org.opencontainers.image.base.name": "golden:1", "org.opencontainers.image.base.digest": digest_of(b"g")}
    expected = Base(name="golden:1", digest=digest_of(b"g"))
    assert base_of(document(annotations=words), None) == expected
    assert base_of(document(), ImageConfig(labels=words)) == expected
    assert base_of(document(), ImageConfig()) is None
    assert base_of(document(annotations={"org.opencontainers.image.base.digest": "no"}), None) is None


def test_a_document_is_read_whatever_stands_in_its_free_fields():
    odd = {"mediaType": "l", "digest": digest_of(b"x"), "size": 1, "platform": {"os": 7, "architecture": "\ud800"}}
    content = json.dumps({"manifests": [odd, {"digest": "no"}, odd], "annotations": {"a": "b"}}).encode()
    found = read_document(content, OCI_INDEX)
    assert [piece.platform for piece in found.children] == [Platform(system="", architecture="?")] * 2
    assert found.annotations == {"a": "b"}


def test_a_chart_is_read():
    content = {
        "name": "shop",
        "version": "1.2.3",
        "appVersion": "7",
        "dependencies": [{"name": "db", "version": "1"}, {}],
    }
    found = read_chart(json.dumps({**content, "deprecated": True, "keywords": ["a", 1]}).encode())
    assert (found.name, found.version, found.app_version, found.is_deprecated) == ("shop", "1.2.3", "7", True)
    assert (found.dependencies, found.keywords) == (("db 1", ""), ("a",))
