# SPDX-License-Identifier: Apache-2.0
"""Users of a password file: who is let in, how often a password is hashed, and how many wait for it."""

import asyncio
import threading

import bcrypt
import pytest

from tests.services.world import PATIENCE, SECOND, FakeClock
from wharfinger.domain.errors import CredentialInvalid, TooManyAttempts
from wharfinger.domain.identity import ANONYMOUS
from wharfinger.security.htpasswd import parse_htpasswd
from wharfinger.security.watched import WatchedFile
from wharfinger.services.identity import Bearer, HtpasswdIdentity, Password

ANN = Password("ann", "right")
AT_ONCE, WAITING = 2, 32


class Checks:
    """Counts the passwords that are compared, and can hold them back."""

    def __init__(self):
        self.asked = []
        self.most_at_once = 0
        self.let_go = threading.Event()
        self.let_go.set()
        self._lock = threading.Lock()
        self._running = 0
        self._begun = threading.Semaphore(0)

    def hold(self):
        """Let no comparison end until `let_go` is set."""
        self.let_go.clear()

    async def begun(self, number):
        """Wait until so many more comparisons have begun."""
        for _ in range(number):
            assert await asyncio.to_thread(self._begun.acquire, timeout=PATIENCE)

    def run(self, users, name, secret):
        with self._lock:
            self.asked.append((name, secret))
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        self._begun.release()
        assert self.let_go.wait(PATIENCE)
        with self._lock:
            self._running -= 1
        return users.verify(name, secret)


class Counted:
    """Users whose comparisons are counted."""

    def __init__(self, users, checks):
        self._users, self._checks = users, checks

    def verify(self, name, secret):
        return self._checks.run(self._users, name, secret)


class Desk:
    """A password file, and the identity that reads it."""

    def __init__(self, path):
        self.path = path
        self.clock = FakeClock()
        self.checks = Checks()
        self.write(ann="right")
        self.identity = HtpasswdIdentity(WatchedFile(path, self._parse, self.clock), self.clock)

    def write(self, **passwords):
        """Replace the file in one step, and let the time pass in which it is not looked at."""
        new = self.path.with_name("new")
        new.write_text("".join(f"{name}:{hashed(secret)}\n" for name, secret in passwords.items()))
        new.replace(self.path)
        self.clock.move(SECOND)

    async def lets_in(self, *shown):
        """Say whether the password is right; whoever is let in has the name that was shown."""
        try:
            principal = await self.identity.recognise(Password(*shown))
        except CredentialInvalid:
            return False
        assert principal.name == shown[0]
        assert principal is not ANONYMOUS
        return True

    def _parse(self, content):
        return Counted(parse_htpasswd(content), self.checks)


def hashed(secret):
    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "users")
    yield desk
    desk.checks.let_go.set()


async def test_who_shows_nothing_is_anonymous(desk):
    assert await desk.identity.recognise(None) is ANONYMOUS


async def test_a_right_password_makes_a_user(desk):
    assert await desk.lets_in("ann", "right")


@pytest.mark.parametrize(
    "shown",
    [("ann", "wrong"), ("ann", ""), ("ann", "right "), ("ann", "Right"), ("ann", "right\0"), ("ann", "r" * 2_000_000),
     ("Ann", "right"), ("bob", "right"), ("", "right"), ("", ""), ("anonymous", ""), ("ann\0", "right")],
)  # fmt: skip
async def test_a_wrong_pair_is_an_error_and_never_anonymous(desk, shown):
    with pytest.raises(CredentialInvalid):
        await desk.identity.recognise(Password(*shown))


async def test_a_wrong_name_and_a_wrong_password_get_one_answer(desk):
    with pytest.raises(CredentialInvalid) as name:
        await desk.identity.recognise(Password("bob", "right"))
    with pytest.raises(CredentialInvalid) as secret:
        await desk.identity.recognise(Password("ann", "wrong"))
    assert name.value.message == secret.value.message == "The user name or the password is wrong."


@pytest.mark.parametrize("secret", ["", "right"])
async def test_who_gives_no_name_is_told_to_sign_in_and_costs_nothing(desk, secret):
    """podman sends an empty name and an empty password if it has none."""
    with pytest.raises(CredentialInvalid, match="no name was given"):
        await desk.identity.recognise(Password("", secret))
    assert desk.checks.asked == []


async def test_a_token_is_refused_with_what_would_be_right(desk):
    with pytest.raises(CredentialInvalid, match="a user name and a password"):
        await desk.identity.recognise(Bearer("right"))


async def test_a_right_pair_is_compared_once_a_minute(desk):
    for _ in range(60):
        assert await desk.lets_in(*ANN)
        desk.clock.move(SECOND)
    assert desk.checks.asked == [ANN]
    assert await desk.lets_in(*ANN)
    assert desk.checks.asked == [ANN, ANN]


async def test_a_minute_is_one_whatever_is_asked_in_it(desk):
    """Asking again does not make the minute longer."""
    await desk.lets_in(*ANN)
    desk.clock.move(59 * SECOND)
    await desk.lets_in(*ANN)
    desk.clock.move(59 * SECOND)
    await desk.lets_in(*ANN)
    assert desk.checks.asked == [ANN, ANN]


async def test_a_wrong_pair_is_compared_each_time(desk):
    for _ in range(3):
        assert not await desk.lets_in("ann", "wrong")
    assert len(desk.checks.asked) == 3


async def test_remembering_a_pair_lets_no_other_in(desk):
    desk.write(ann="right", a="nnright")
    assert await desk.lets_in("ann", "right")
    for other in (("an", "nright"), ("annr", "ight"), ("ann", "wrong"), ("bob", "right")):
        assert not await desk.lets_in(*other)
    assert await desk.lets_in("a", "nnright")


async def test_a_changed_password_counts_as_soon_as_the_file_is_looked_at(desk):
    assert await desk.lets_in("ann", "right")
    desk.write(ann="new")
    assert not await desk.lets_in("ann", "right")
    assert await desk.lets_in("ann", "new")


async def test_a_user_who_is_taken_out_of_the_file_is_out(desk):
    assert await desk.lets_in("ann", "right")
    desk.write(bob="hello")
    assert not await desk.lets_in("ann", "right")
    assert await desk.lets_in("bob", "hello")


async def test_a_file_that_is_missing_or_damaged_keeps_its_users_and_lets_in_nobody_else(desk):
    desk.path.unlink()
    desk.clock.move(SECOND)
    assert await desk.lets_in("ann", "right")
    assert not await desk.lets_in("ann", "wrong")
    desk.path.write_bytes(b"bob:\xff\n")
    desk.clock.move(SECOND)
    assert await desk.lets_in("ann", "right")
    assert not await desk.lets_in("bob", "right")
    desk.write(bob="hello")
    assert not await desk.lets_in("ann", "right")
    assert await desk.lets_in("bob", "hello")


async def test_a_file_without_users_lets_nobody_in(desk):
    desk.write()
    assert not await desk.lets_in("ann", "right")


async def test_a_pair_that_was_compared_with_the_old_file_is_not_remembered_for_the_new_one(desk):
    desk.checks.hold()
    slow = asyncio.create_task(desk.lets_in("ann", "right"))
    await desk.checks.begun(1)
    desk.write(bob="hello")
    other = asyncio.create_task(desk.lets_in("bob", "hello"))
    await desk.checks.begun(1)
    desk.checks.let_go.set()
    assert await slow
    assert await other
    assert not await desk.lets_in("ann", "right")


async def test_one_pair_on_many_connections_is_compared_once(desk):
    desk.checks.hold()
    asking = [asyncio.create_task(desk.lets_in("ann", "right")) for _ in range(100)]
    await desk.checks.begun(1)
    desk.checks.let_go.set()
    assert all(await asyncio.gather(*asking))
    assert desk.checks.asked == [ANN]


async def test_a_client_that_goes_away_takes_nobody_with_it(desk):
    desk.checks.hold()
    first = asyncio.create_task(desk.lets_in("ann", "right"))
    await desk.checks.begun(1)
    second = asyncio.create_task(desk.lets_in("ann", "right"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    desk.checks.let_go.set()
    assert await second
    assert desk.checks.asked == [ANN]


async def test_two_are_compared_at_once_and_so_many_wait_and_the_next_is_sent_away(desk):
    desk.write(**{f"user{number}": "right" for number in range(AT_ONCE + WAITING)}, ann="right")
    desk.checks.hold()
    asking = [asyncio.create_task(desk.lets_in(f"user{number}", "right")) for number in range(AT_ONCE + WAITING)]
    await desk.checks.begun(AT_ONCE)
    async with asyncio.timeout(PATIENCE):
        while len(desk.identity._checks._running) < AT_ONCE + WAITING:  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(0)
    with pytest.raises(TooManyAttempts) as refusal:
        await desk.identity.recognise(ANN)
    assert refusal.value.retry_after > 0
    assert len(desk.checks.asked) == AT_ONCE
    desk.checks.let_go.set()
    assert all(await asyncio.gather(*asking))
    assert desk.checks.most_at_once == AT_ONCE
    assert await desk.lets_in("ann", "right")


async def test_who_is_remembered_does_not_wait(desk):
    assert await desk.lets_in("ann", "right")
    desk.checks.hold()
    asking = [asyncio.create_task(desk.lets_in(f"user{number}", "x")) for number in range(AT_ONCE + WAITING)]
    await desk.checks.begun(AT_ONCE)
    assert await desk.lets_in("ann", "right")
    desk.checks.let_go.set()
    assert not any(await asyncio.gather(*asking))
