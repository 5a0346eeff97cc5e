# SPDX-License-Identifier: Apache-2.0
"""What the operator of a deployment should know."""

from dataclasses import replace

import pytest

from wharfinger.domain.access import Mode
from wharfinger.domain.deployment import ConcernKind, Facts, Observed, Setting, concerns

FACTS = Facts(database="SQLite")
WELL = Observed(mode=Mode.ACCOUNTS, problems={}, space={"default": (1_000, 100)}, silent=False, failing={}, findings={})


def kinds(facts=FACTS, observed=WELL):
    return [one.kind for one in concerns(facts, observed)]


def test_where_all_is_well_there_is_nothing_to_know():
    assert kinds() == []


@pytest.mark.parametrize(
    ("facts", "observed", "kind"),
    [
        ({}, {"mode": Mode.OPEN}, ConcernKind.OPEN),
        ({"reaches_others": True, "encrypted": False}, {}, ConcernKind.UNENCRYPTED),
        ({"read_only": True}, {}, ConcernKind.READ_ONLY),
        ({"deletion": False}, {}, ConcernKind.DELETION_OFF),
        ({"collects": False}, {}, ConcernKind.COLLECTION_OFF),
        ({"verifies": False}, {}, ConcernKind.VERIFICATION_OFF),
        ({}, {"problems": {"database": "gone"}}, ConcernKind.UNHEALTHY),
        ({}, {"space": {"default": (199, 100)}}, ConcernKind.ALMOST_FULL),
        ({}, {"space": {"default": (99, 100)}}, ConcernKind.FULL),
        ({}, {"silent": True}, ConcernKind.NO_JOBS),
        ({}, {"failing": {"bury": "no disk"}}, ConcernKind.JOB_FAILS),
        ({}, {"findings": {"default": 3}}, ConcernKind.DAMAGED),
    ],
)
def test_each_thing_that_is_not_well_is_said(facts, observed, kind):
    assert kind in kinds(replace(FACTS, **facts), replace(WELL, **observed))


@pytest.mark.parametrize(
    ("deletion", "mode", "is_off"),
    [
        (None, Mode.ACCOUNTS, False),
        (None, Mode.OPEN, True),
        (None, Mode.HTPASSWD, True),
        (True, Mode.OPEN, False),
        (False, Mode.ACCOUNTS, True),
    ],
)
def test_deletion_is_on_with_accounts_unless_somebody_said_otherwise(deletion, mode, is_off):
    assert (ConcernKind.DELETION_OFF in kinds(replace(FACTS, deletion=deletion), replace(WELL, mode=mode))) is is_off


def test_a_concern_names_the_line_that_decides():
    setting = Setting(key="storage.delete.enabled", value="false", origin="config.yml:12")
    (found,) = concerns(replace(FACTS, deletion=False, settings=(setting,)), WELL)
    assert (found.key, found.origin) == ("storage.delete.enabled", "config.yml:12")
    (found,) = concerns(replace(FACTS, deletion=False), WELL)
    assert found.origin == "default"


def test_what_is_broken_comes_before_what_is_switched_off():
    observed = replace(WELL, mode=Mode.OPEN, problems={"storage": "no disk"}, failing={"bury": ""})
    assert kinds(observed=observed)[0] is ConcernKind.UNHEALTHY
    assert kinds(observed=observed)[-1] is ConcernKind.DELETION_OFF
