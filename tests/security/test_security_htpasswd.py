# SPDX-License-Identifier: Apache-2.0
"""Files of htpasswd: the users that the real program made get in, everything else is reported."""

import subprocess

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wharfinger.security import htpasswd
from wharfinger.security.htpasswd import parse_htpasswd


def made_by_htpasswd(name, password, *options):
    """Return a line that the real program writes."""
    command = ["htpasswd", "-n", "-i", *(options or ("-B", "-C", "4")), name]
    return subprocess.run(command, input=password, capture_output=True, check=True, text=True).stdout.strip()


def accepts(tmp_path, line, name, password):
    """Say what the real program answers."""
    path = tmp_path / "htpasswd"
    path.write_text(line + "\n")
    command = ["htpasswd", "-v", "-i", path, name]
    return subprocess.run(command, input=password, capture_output=True, check=False, text=True).returncode == 0


def hashed(password, cost=4, prefix=b"2b"):
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).replace(b"2b", prefix, 1).decode()


def problems(text):
    return [(problem.line, problem.message) for problem in parse_htpasswd(text.encode()).problems]


@pytest.mark.parametrize(
    "given_password", ["secret", "p\u00e4ss w\u00f6rd: #1", "x" * 71, "x" * 72, "x" * 73, "\u00e9" * 40, "x" * 200]
)
def test_user_made_by_the_real_program_gets_in_and_with_the_same_passwords(tmp_path, given_password):
    line = made_by_htpasswd("alice", given_password)
    users = parse_htpasswd(line.encode())
    assert users.problems == ()
    tried = [given_password, given_password[:-1], given_password + "x", given_password[:72], "x" * 100, "wrong"]
    for password in tried:
        assert users.verify("alice", password) == accepts(tmp_path, line, "alice", password), len(password)
    assert users.verify("alice", given_password)
    assert not users.verify("alice", "wrong")
    assert not users.verify("bob", given_password)


@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
def test_each_name_of_bcrypt_is_read(prefix):
    users = parse_htpasswd(f"alice:{hashed(b'secret', prefix=prefix)}".encode())
    assert users.verify("alice", "secret")


@pytest.mark.parametrize("option", ["-m", "-2", "-5", "-d", "-s", "-p"])
def test_user_of_another_scheme_is_reported_and_cannot_sign_in(option):
    text = f"# users\n\n{made_by_htpasswd('alice', 'secret', option)}\nbob:{hashed(b'secret')}"
    users = parse_htpasswd(text.encode())
    assert users.names == {"bob"}
    assert not users.verify("alice", "secret")
    [(line, message)] = problems(text)
    assert line == 3
    assert "'alice' cannot sign in" in message
    assert "only bcrypt" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "damaged",
    [
        lambda good: good[:-1],
        lambda good: good + "x",
        lambda good: good.replace("$04$", "$03$"),
        lambda good: good.replace("$04$", "$18$"),
        lambda good: good.replace("$04$", "$32$"),
        lambda good: good[:28] + "B" + good[29:],
        lambda good: good + ":more",
    ],
)
def test_damaged_hash_is_reported_and_never_raises(damaged):
    text = f"alice:{damaged(hashed(b'secret'))}"
    assert not parse_htpasswd(text.encode()).verify("alice", "secret")
    [(line, message)] = problems(text)
    assert (line, "damaged" in message) == (1, True)


def test_comments_blank_lines_and_ends_of_lines_do_not_matter():
    text = f"# alice:x\r\n\r\n   \n  alice:{hashed(b'secret')}  \r\n  # end"
    users = parse_htpasswd(text.encode())
    assert users.names == {"alice"}
    assert users.problems == ()
    assert users.verify("alice", "secret")


@pytest.mark.parametrize("line", ["alice", ":x", "nonsense without a colon"])
def test_line_that_is_no_entry_is_reported(line):
    assert [number for number, _ in problems(f"\n{line}\n")] == [2]
    assert "name:hash" in problems(line)[0][1]


def test_last_line_of_a_name_wins_and_is_reported():
    text = f"alice:{hashed(b'first')}\nbob:{hashed(b'x')}\nalice:{hashed(b'second')}"
    users = parse_htpasswd(text.encode())
    assert users.verify("alice", "second")
    assert not users.verify("alice", "first")
    assert problems(text) == [(3, "The user 'alice' is already in line 1; this line, the last one, counts.")]


def test_last_line_wins_also_if_nobody_can_sign_in_with_it():
    text = f"alice:{hashed(b'first')}\nalice:plain"
    assert parse_htpasswd(text.encode()).names == frozenset()
    assert [line for line, _ in problems(text)] == [2, 2]


def test_file_that_is_not_utf8_is_an_error():
    with pytest.raises(ValueError, match="utf-8"):
        parse_htpasswd(b"\xff\xfe:x")


@pytest.mark.parametrize("password", ["", "x" * 1025, "x" * 2**20, "\u00e9" * 600])
def test_empty_or_huge_password_is_refused_without_work(monkeypatch, password):
    users = parse_htpasswd(f"alice:{hashed(b'secret')}".encode())
    monkeypatch.setattr(htpasswd, "bcrypt", None)
    assert not users.verify("alice", password)
    assert not users.verify("bob", password)


class Work:
    """A bcrypt that only counts rounds."""

    def __init__(self):
        self.rounds = 0

    def hashpw(self, _password, salt):
        self.rounds += 2 ** int(salt[4:6])

    def checkpw(self, password, stored):
        self.hashpw(password, stored)
        return True


@settings(max_examples=40)
@given(st.lists(st.integers(4, 17), max_size=5))
def test_work_is_the_same_for_every_name_whatever_the_costs(costs):
    lines = [f"user{number}:{hashed(b'x').replace('$04$', f'${cost:02}$')}" for number, cost in enumerate(costs)]
    users = parse_htpasswd("\n".join(lines).encode())
    with pytest.MonkeyPatch.context() as patch:
        spent = set()
        for name in [*users.names, "nobody"]:
            work = Work()
            patch.setattr(htpasswd, "bcrypt", work)
            users.verify(name, "guess")
            spent.add(work.rounds)
    assert spent == {2 ** max(costs, default=5)}


@given(st.text(max_size=200))
def test_noise_never_raises(text):
    users = parse_htpasswd(text.encode("utf-8", "ignore"))
    assert users.names == frozenset()
