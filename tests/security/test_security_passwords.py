# SPDX-License-Identifier: Apache-2.0
"""Passwords of accounts: what is taken, what is stored, and that nothing can be learned from the time."""

import threading
import time

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wharfinger.security import passwords as passwords_module
from wharfinger.security.passwords import WRONG, Passwords, PasswordUnfit, Verdict, check_new_password

LIGHT = Passwords(memory=64)
"""With little memory, for tests that do not ask how much there is."""


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=256))
def test_password_is_right_and_another_is_wrong(password):
    stored = LIGHT.hash_password(password)
    assert LIGHT.verify(stored, password) == Verdict(right=True)
    assert LIGHT.verify(stored, password + "x") == WRONG


def test_stored_hash_is_argon2id_with_the_documented_cost():
    passwords = Passwords()
    stored = passwords.hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(stored, "correct horse") == Verdict(right=True, needs_rehash=False)


def test_hash_of_other_parameters_asks_to_be_replaced_only_when_the_password_is_right():
    stored = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
    assert LIGHT.verify(stored, "correct horse") == Verdict(right=True, needs_rehash=True)
    assert LIGHT.verify(stored, "wrong horse") == WRONG


def test_two_ways_to_type_one_letter_are_one_password():
    stored = LIGHT.hash_password("caf\u00e9 caf\u00e9")
    assert LIGHT.verify(stored, "cafe\u0301 cafe\u0301").right


@pytest.mark.parametrize("stored", ["", "x", "$2b$05$abc", "$argon2id$v=19$m=64,t=2,p=1$AAAA"])
def test_unreadable_hash_belongs_to_nobody(stored):
    assert LIGHT.verify(stored, "correct horse") == WRONG


class Counting:
    """An argon2 that counts how often it works, and how much at once."""

    def __init__(self):
        self.calls, self.running, self.most = 0, 0, 0
        self.lock = threading.Lock()

    def verify(self, stored, _password):
        if stored == "unreadable":
            raise argon2.exceptions.InvalidHashError
        with self.lock:
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01)
        with self.lock:
            self.running -= 1
        raise argon2.exceptions.VerifyMismatchError


def counting(at_once=4):
    passwords = Passwords(memory=64, at_once=at_once)
    stored = passwords.hash_password("correct horse")
    passwords._hasher = Counting()
    return passwords, stored


def test_unknown_account_costs_one_comparison_as_a_known_one_does():
    passwords, stored = counting()
    assert passwords.verify(stored, "wrong") == WRONG
    assert passwords._hasher.calls == 1
    assert passwords.verify_nobody("wrong") == WRONG
    assert passwords._hasher.calls == 2


def test_unreadable_hash_costs_one_comparison_too():
    passwords, _ = counting()
    assert passwords.verify("unreadable", "wrong") == WRONG
    assert passwords._hasher.calls == 1


def test_comparison_for_nobody_has_the_parameters_of_a_new_hash():
    passwords = Passwords()
    new = argon2.extract_parameters(passwords.hash_password("correct horse"))
    assert argon2.extract_parameters(passwords._nobodys_hash) == new


@pytest.mark.parametrize("password", ["x" * 1025, "\u00e9" * 513, "x" * 2**20, "\ud800"])
def test_password_over_a_kilobyte_or_no_text_is_refused_without_work(password):
    passwords, stored = counting()
    assert passwords.verify(stored, password) == WRONG
    assert passwords.verify_nobody(password) == WRONG
    assert passwords._hasher.calls == 0


def test_only_a_few_hashes_run_at_once():
    passwords, stored = counting(at_once=2)
    threads = [threading.Thread(target=passwords.verify, args=(stored, "wrong")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passwords._hasher.calls == 8
    assert passwords._hasher.most <= 2


def test_memory_of_all_hashes_together_is_bounded():
    assert passwords_module._AT_ONCE * passwords_module._MEMORY <= 80 * 1024


@pytest.mark.parametrize(
    "password", ["12345678", "x" * 128, "correct horse battery", "\uc548\ub155\ud558\uc138\uc694 \ud56d\uad6c"]
)
def test_new_password_of_8_to_128_characters_is_taken(password):
    check_new_password(password, "alice")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "has 0 characters; use at least 8"),
        ("1234567", "has 7 characters; use at least 8"),
        ("x" * 129, "has 129 characters; use at most 128"),
        ("\U0001f6a2" * 257, "at most 1024 bytes"),
        ("x" * 1025, "at most 1024 bytes"),
        ("\ud800" * 8, "no text"),
        ("whp_of-my-own-making", "begins as tokens"),
        ("alice-the-first", "name of the account"),
        ("Alice-The-First", "name of the account"),
    ],
)
def test_new_password_that_is_not_taken_says_why_and_does_not_repeat_it(password, message):
    with pytest.raises(PasswordUnfit, match=message) as caught:
        check_new_password(password, "alice-the-first")
    assert not password or password not in str(caught.value)
