# SPDX-License-Identifier: Apache-2.0
"""The tree: frozen, picklable, and each default a value that its own kind takes."""

import dataclasses
import pickle

import pytest

from wharfinger.settings import Settings
from wharfinger.settings.kinds import One, Records, leaves

ALL = list(leaves(Settings()))
INNER = [leaf for outer in ALL if isinstance(outer.kind, Records) for leaf in leaves(outer.kind.blank())]


def test_settings_are_frozen_slotted_and_picklable():
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.http.addr = ":1"
    assert not hasattr(settings.http, "__dict__")
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("leaf", [*ALL, *INNER], ids=lambda leaf: leaf.key)
def test_every_setting_has_help_of_one_sentence_line(leaf):
    assert leaf.help.endswith(".")
    assert "\n" not in leaf.help


@pytest.mark.parametrize("leaf", [leaf for leaf in ALL if isinstance(leaf.kind, One)], ids=lambda leaf: leaf.key)
def test_every_default_is_a_value_of_its_kind(leaf):
    if leaf.value is not None:
        assert leaf.kind.parse(leaf.shown(leaf.value)) == leaf.value


@pytest.mark.parametrize("leaf", [leaf for leaf in ALL if leaf.value is None], ids=lambda leaf: leaf.key)
def test_a_default_of_nothing_is_explained_or_plainly_not_set(leaf):
    assert leaf.shown(None) == (leaf.unset or "not set") or leaf.key == "http.workers"


def test_names_of_keys_need_no_underscore_because_variables_join_with_it():
    assert not [leaf.key for leaf in [*ALL, *INNER] if "_" in leaf.key or leaf.key != leaf.key.lower()]
