# SPDX-License-Identifier: Apache-2.0
"""Wrong passwords: how long somebody waits, and whose addresses are one client's."""

import pytest

from wharfinger.clock import SECOND, Instant
from wharfinger.domain import lockout

NOW = Instant(1_000 * SECOND)


def test_a_few_wrong_passwords_cost_nothing_and_then_each_doubles_the_wait():
    waits = [lockout.locked_until(failures, NOW) for failures in range(8)]
    assert waits[:5] == [None] * 5
    assert [(until - NOW) // SECOND for until in waits[5:]] == [2, 4, 8]


@pytest.mark.parametrize("failures", [14, 15, 100, 10**9])
def test_nobody_waits_longer_than_a_quarter_of_an_hour(failures):
    assert lockout.locked_until(failures, NOW) == NOW + 15 * 60 * SECOND


def test_a_network_may_be_wrong_more_often_because_many_people_share_it():
    assert lockout.locked_until(20, NOW, lockout.FREE_FAILURES_OF_NETWORK) is None
    assert lockout.locked_until(21, NOW, lockout.FREE_FAILURES_OF_NETWORK) == NOW + 2 * SECOND


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        (None, "-"),
        ("", "-"),
        ("-", "-"),
        ("registry.local", "-"),
    ],
)
def test_a_client_is_known_by_its_network(address, network):
    assert lockout.network_of(address) == network
