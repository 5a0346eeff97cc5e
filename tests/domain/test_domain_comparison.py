# SPDX-License-Identifier: Apache-2.0
"""How two images differ."""

import pytest

from wharfinger.clock import Instant
from wharfinger.domain.artifacts import Artifact, Nature
from wharfinger.domain.comparison import compare, in_words, parse_side
from wharfinger.domain.digests import digest_of
from wharfinger.domain.errors import WharfingerError
from wharfinger.domain.image_config import ImageConfig
from wharfinger.domain.inspection import Document, Image, Inspection, Layer, Piece, Variant
from wharfinger.domain.manifests import OCI_INDEX, OCI_MANIFEST
from wharfinger.domain.names import RepositoryName
from wharfinger.domain.platforms import parse_platform

NAME = RepositoryName("acme/app")
DIGEST = digest_of(b"x")


def layer(content, unpacked=None):
    piece = Piece(media_type="layer", digest=digest_of(content), size=len(content))
    return Layer(piece=piece, step=None, content=unpacked, is_here=True)


def inspected(*layers, config=None, annotations=None, variants=()):
    document = Document(
        media_type=OCI_INDEX if variants else OCI_MANIFEST,
        artifact_type=None,
        annotations=annotations or {},
        subject=None,
        config=None,
        layers=tuple(one.piece for one in layers),
        children=(),
    )
    digest = digest_of(repr((layers, config, annotations, variants)).encode())
    artifact = Artifact(Nature.IMAGE)
    return Inspection(
        digest=digest,
        media_type=document.media_type,
        size=1,
        pushed_at=Instant(0),
        document=document,
        artifact=artifact,
        variants=variants,
        image=Image(digest=digest, document=document, artifact=artifact, config=config, layers=layers),
    )


def sections(before, after):
    return {
        section.kind: [(change.name, change.before, change.after) for change in section.changes]
        for section in compare(before, after).sections
    }


def test_layers_are_common_removed_or_added():
    base, old, new = layer(b"base"), layer(b"old"), layer(b"new!")
    found = compare(inspected(base, old), inspected(base, new))
    assert (found.common, found.removed, found.added) == ((base,), (old,), (new,))
    assert found.download == 4
    assert not found.is_same


def test_a_layer_that_comes_twice_is_common_once_where_the_other_has_it_once():
    empty = layer(b"empty")
    found = compare(inspected(empty, empty), inspected(empty))
    assert (len(found.common), len(found.removed), len(found.added)) == (1, 1, 0)


def test_the_same_content_packed_anew_is_told():
    gzip, zstd, new = layer(b"gzip", "sha256:1"), layer(b"zstd+", "sha256:1"), layer(b"n", "sha256:2")
    found = compare(inspected(gzip), inspected(zstd, new))
    assert [(one.before, one.after) for one in found.repacked] == [(gzip, zstd)]
    assert (found.removed, found.added) == ((), (new,))
    assert found.download == 6


def test_the_config_differs_field_by_field():
    before = ImageConfig(
        user="root",
        command=("serve", "a b"),
        ports=("80/tcp",),
        environment=(("A", "1"), ("B", "2")),
        labels={"same": "x", "gone": "y"},
    )
    after = ImageConfig(
        command=("serve",), ports=("81/tcp",), environment=(("A", "9"), ("C", "3")), labels={"same": "x"}
    )
    assert sections(inspected(config=before), inspected(config=after, annotations={"k": "v"})) == {
        "config": [
            ("user", "root", None),
            ("command", "serve 'a b'", "serve"),
            ("port 80/tcp", "80/tcp", None),
            ("port 81/tcp", None, "81/tcp"),
        ],
        "environment": [("A", "1", "9"), ("B", "2", None), ("C", None, "3")],
        "labels": [("gone", "y", None)],
        "annotations": [("k", None, "v")],
    }


def variant(platform, content):
    piece = Piece(media_type=OCI_MANIFEST, digest=digest_of(content), size=1)
    return Variant(piece=piece, platform=parse_platform(platform), is_here=True)


def test_platforms_of_indexes_came_went_or_changed():
    before = inspected(
        variants=(variant("linux/amd64", b"1"), variant("linux/arm64", b"2"), variant("linux/arm", b"3"))
    )
    after = inspected(variants=(variant("linux/amd64", b"1"), variant("linux/arm64", b"9")))
    found = sections(before, after)["platforms"]
    assert found == [
        ("linux/arm64", digest_of(b"2"), digest_of(b"9")),
        ("linux/arm", digest_of(b"3"), None),
    ]


def test_an_image_and_an_index_differ_in_platforms_only_by_name():
    single = inspected(config=ImageConfig(system="linux", architecture="amd64"))
    both = inspected(
        config=ImageConfig(system="linux", architecture="amd64"),
        variants=(variant("linux/amd64", b"1"), variant("linux/arm64", b"2")),
    )
    assert sections(single, both) == {"platforms": [("linux/arm64", None, "linux/arm64")]}


def test_nothing_differs_from_itself():
    one = inspected(layer(b"1"), config=ImageConfig(user="app"))
    found = compare(one, one)
    assert found.is_same
    assert (found.removed, found.added, found.sections, found.download) == ((), (), (), 0)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("v1", "acme/app:v1"),
        (DIGEST, f"acme/app@{DIGEST}"),
        ("other:v1", "other:v1"),
        ("acme/other:v1", "acme/other:v1"),
        (f"acme/other@{DIGEST}", f"acme/other@{DIGEST}"),
    ],
)
def test_a_side_is_named_from_where_one_stands(text, side):
    assert str(parse_side(text, NAME)) == side


@pytest.mark.parametrize("text", ["", "acme/other", "sha256:1", "A/b:v1", "x@y", "x:", "-"])
def test_what_names_nothing_is_refused(text):
    with pytest.raises(WharfingerError):
        parse_side(text, NAME)


def test_arguments_with_blanks_stand_in_quotes():
    assert in_words(("a", "b c", "", "$HOME", '"')) == """a 'b c' '' $HOME '"'"""
