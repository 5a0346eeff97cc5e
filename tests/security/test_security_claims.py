# SPDX-License-Identifier: Apache-2.0
"""Claims, one by one: read as what they are, or refused; tokens as a whole are tested beside their verifiers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.forging import MISSING, NOW
from wharfinger.clock import SECOND, as_datetime
from wharfinger.security.claims import LEEWAY, check_times, read_access, read_id, read_text, read_time
from wharfinger.security.jws import Reason, TokenRefused

LATEST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def reason_of(action, *arguments, **more):
    with pytest.raises(TokenRefused) as caught:
        action(*arguments, **more)
    return caught.value.reason


@given(values)
def test_text_is_read_and_everything_else_refused(value):
    if isinstance(value, str):
        assert read_text({"a": value}, "a") == value
    else:
        assert reason_of(read_text, {"a": value}, "a") is Reason.MALFORMED_CLAIMS


@given(values)
def test_id_is_a_whole_number_or_missing(value):
    if value is None or (type(value) is int and value >= 0):
        assert read_id({"a": value}, "a") == value
    else:
        assert reason_of(read_id, {"a": value}, "a") is Reason.MALFORMED_CLAIMS


@given(values)
def test_time_is_whole_seconds_from_1970_to_9999(value):
    if type(value) is int and 0 <= value <= LATEST:
        assert read_time({"a": value}, "a") == value * SECOND
    else:
        assert reason_of(read_time, {"a": value}, "a") is Reason.WRONG_TIMES


def test_latest_time_fits_a_datetime_and_the_next_is_refused():
    assert as_datetime(read_time({"exp": LATEST}, "exp")).year == 9999
    assert reason_of(read_time, {"exp": LATEST + 1}, "exp") is Reason.WRONG_TIMES


def test_missing_id_and_time_are_nothing():
    assert read_id({}, "a") is None
    assert read_time({}, "a") is None
    assert reason_of(read_text, {}, "a") is Reason.MALFORMED_CLAIMS


@given(st.integers(-3 * LEEWAY, 3 * LEEWAY), st.integers(0, 2 * LEEWAY))
def test_token_is_valid_from_a_minute_before_until_a_minute_after(offset, length):
    begins = NOW + offset
    ends = begins + length
    if ends + LEEWAY < NOW:
        assert reason_of(check_times, NOW, begins=begins, ends=ends) is Reason.EXPIRED
    elif begins - LEEWAY > NOW:
        assert reason_of(check_times, NOW, begins=begins, ends=ends) is Reason.NOT_YET_VALID
    else:
        check_times(NOW, begins=begins, ends=ends)


def test_leeway_is_a_minute():
    assert LEEWAY == 60 * SECOND


@given(values)
def test_noise_as_access_is_empty_or_refused(value):
    if value in (None, []):
        assert read_access({"access": value}) == ()
    else:
        assert reason_of(read_access, {"access": value}) is Reason.MALFORMED_CLAIMS


@pytest.mark.parametrize("action", ["pull", "push", "delete", "metadata_read", "a" * 32])
def test_action_is_one_word(action):
    [entry] = read_access({"access": [{"type": "repository", "name": "x", "actions": [action, action]}]})
    assert entry.actions == {action}


@pytest.mark.parametrize("action", ["a" * 33, "Pull", "pull\n", "-pull", "\u0440ull", MISSING])
def test_action_that_is_no_word_is_refused(action):
    access = [{"type": "repository", "name": "x", "actions": [action]}]
    assert reason_of(read_access, {"access": access}) is Reason.MALFORMED_CLAIMS
