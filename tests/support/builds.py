# SPDX-License-Identifier: Apache-2.0
"""Images as builders leave them: with a history, an environment, labels; and what is attached to them."""

from tests.protocol.content import descriptor, image, index, manifest_descriptor, platform
from tests.support.images import EMPTY, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, as_json, digest_of

IN_TOTO = "application/vnd.in-toto+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
NOTATION = "application/vnd.cncf.notary.signature"
HELM = "application/vnd.cncf.helm.config.v1+json"
HELM_CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def build(repository, *steps, architecture="amd64", inside=None, annotations=None, **more):
    """Push the blobs of an image that was built in some steps, and return its manifest.

    Args:
        repository: where it goes.
        steps: pairs of a command and the bytes of its layer; a step without a layer has nothing instead.
        architecture: what it runs on.
        inside: what it runs: the part of a config that is called `config`.
        annotations: of the manifest.
        more: of the config.
    """
    layers = [content for _, content in steps if content is not None]
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": "2026-05-01T13:00:00Z",
        "config": inside or {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(b"unpacked " + content) for content in layers]},
        "history": [
            {
                "created": "2026-05-01T13:00:00Z",
                "created_by": command,
                **({"empty_layer": True} if content is None else {}),
            }
            for command, content in steps
        ],
        **more,
    }
    config = as_json(document)
    for content in (config, *layers):
        repository.push_blob(content)
    words = {} if annotations is None else {"annotations": annotations}
    return image(descriptor(config, OCI_CONFIG), [descriptor(content, OCI_LAYER) for content in layers], **words)


def several(repository, images, *, attested=False, annotations=None):
    """Push images, and return an index of them by architecture; `attested` adds what BuildKit adds to each.

    Args:
        repository: where they go.
        images: manifests by architecture.
        attested: whether each has an attestation beside it.
        annotations: of the index.
    """
    listed, beside = [], []
    for architecture, document in images.items():
        digest = repository.push(document)
        listed.append(manifest_descriptor(document, platform=platform(architecture=architecture)))
        if attested:
            statement = attestation(repository, architecture)
            repository.push(statement)
            words = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest}
            beside.append(manifest_descriptor(statement, platform=platform("unknown", "unknown"), annotations=words))
    return index(*listed, *beside, **({} if annotations is None else {"annotations": annotations}))


def attestation(repository, seed):
    """Push the blobs of what BuildKit attests, and return its manifest."""
    config = as_json({"architecture": "unknown", "os": "unknown", "config": {}, "seed": seed})
    kinds = {"https://spdx.dev/Document": b"sbom", "https://slsa.dev/provenance/v1": b"provenance"}
    layers = []
    for kind, content in kinds.items():
        statement = content + seed.encode()
        repository.push_blob(statement)
        layers.append(descriptor(statement, IN_TOTO, annotations={"in-toto.io/predicate-type": kind}))
    repository.push_blob(config)
    return image(descriptor(config, OCI_CONFIG), layers)


def attach(repository, digest, artifact_type, content, *tags, media_type=None, annotations=None):
    """Attach something to a manifest; return the digest of its own manifest."""
    repository.push_blob(b"{}")
    repository.push_blob(content)
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 1}
    document = image(
        descriptor(b"{}", EMPTY),
        [descriptor(content, media_type or artifact_type)],
        artifactType=artifact_type,
        subject=subject,
        **({} if annotations is None else {"annotations": annotations}),
    )
    return repository.push(document, *tags)


def cosign(repository, digest, seed=b""):
    """Sign a manifest as cosign does by default: by a tag that is made of the digest."""
    payload = as_json({"critical": {"image": {"docker-manifest-digest": digest}}}) + seed
    config = as_json({"architecture": "", "os": "", "config": {}})
    for content in (payload, config):
        repository.push_blob(content)
    words = {"dev.cosignproject.cosign/signature": "MEUCIQ=="}
    document = image(descriptor(config, OCI_CONFIG), [descriptor(payload, SIMPLE_SIGNING, annotations=words)])
    return repository.push(document, digest.replace(":", "-") + ".sig")


def chart(repository, tag, **words):
    """Push a Helm chart as Helm does."""
    config, content = as_json({"apiVersion": "v2", "type": "application", **words}), b"chart " + tag.encode()
    for blob in (config, content):
        repository.push_blob(blob)
    return repository.push(image(descriptor(config, HELM), [descriptor(content, HELM_CONTENT)]), tag)
