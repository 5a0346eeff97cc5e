# SPDX-License-Identifier: Apache-2.0
"""The loop: mixed traffic, something is killed in the middle of it, and everything acknowledged is asked for again.

The choices follow from the seed: contents, the order of each client's requests, what is killed and after how long. What
the machine does between them does not, so a seed leads to the same kind of run, not to the same instruction.
"""

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.clients import Client
from tests.crash.ledger import Ledger
from tests.crash.traffic import Gate, Traffic
from tests.support.commands import tail, wait_until
from tests.support.postgres import PostgreSQL
from tests.support.processes import background, is_running, listeners
from tests.support.server import Server

CLIENTS = 4
WORKERS = 2
AUDITORS = 4
FULL_AUDIT_EVERY = 10
WORKER_PAUSE = 8.0
"""Seconds between kills of single workers: two in a row end the whole node, which has its own kill."""
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Round:
    """One kill and what was found after it."""

    what: str
    traffic: float
    acknowledged: int
    audited: int
    back: float
    complaints: list = field(default_factory=list)

    def __str__(self):
        words = f"{self.what:<28} after {self.traffic:4.1f} s   {self.acknowledged:5} acknowledged"
        found = f"{len(self.complaints)} WRONG" if self.complaints else "all there"
        return f"{words}   {self.audited:5} audited   back after {self.back:4.1f} s   {found}"


class Loop:
    """Kills a registry again and again.

    Args:
        folder: for everything that it writes.
        seed: of all choices.
        database: `sqlite` or `postgresql`.
        say: called with each line of the report.
    """

    def __init__(self, folder, seed, database="sqlite", say=print):
        self.rounds, self.complaints = [], []
        self._folder = Path(folder)
        self._seed = seed
        self._say = say
        self._choice = random.Random(f"{seed}/kills")
        self._ledger = Ledger()
        self._gate = Gate()
        self._cluster = PostgreSQL(DURABLE) if database == "postgresql" else None
        self.url = self._cluster.database() if self._cluster else None
        self.server = Server(self._folder / "server", database=self.url, workers=WORKERS)
        self._traffic = []
        self._worker_killed = 0.0
        self._kills = {self.everything: 6, self.one_worker: 2, self.the_jobs: 1}
        if self._cluster:
            self._kills[self.the_database] = 4

    def run(self, seconds):
        """Go on for so long, and at least until everything was killed once; returns whether all was well."""
        end = time.monotonic() + seconds
        self.server.start()
        self._traffic = [
            Traffic(number, self._seed, self.server.url, self._ledger, self._gate) for number in range(CLIENTS)
        ]
        for client in self._traffic:
            client.start()
        try:
            for kill in self._sequence():
                self._round(kill)
                if self.complaints or (time.monotonic() > end and len(self.rounds) >= len(self._kills)):
                    break
        finally:
            self._gate.end()
            for client in self._traffic:
                client.join(60)
        self._final()
        return not self.complaints

    def close(self):
        self.server.kill()
        if self._cluster:
            self._cluster.stop()

    # ---- what is killed

    def everything(self):
        """kill -9 of all processes"""
        self.server.kill()

    def one_worker(self):
        """kill -9 of one worker"""
        wait = self._worker_killed + WORKER_PAUSE - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        before = listeners(self.server.process.pid, self.server.port)
        victim = self._choice.choice(sorted(before))
        os.kill(victim, signal.SIGKILL)
        self._worker_killed = time.monotonic()
        wait_until(lambda: not is_running(victim), why="a killed worker that does not go")

    def the_jobs(self):
        """kill -9 of the background jobs"""
        for pid in background(self.server.process.pid, self.server.port):
            os.kill(pid, signal.SIGKILL)

    def the_database(self):
        """immediate stop of PostgreSQL"""
        workers = listeners(self.server.process.pid, self.server.port)
        before = self._unavailable()
        self._cluster.crash()
        wait_until(lambda: self._unavailable() > before, within=30, why="nobody is told that the database is away")
        time.sleep(self._choice.uniform(0.0, 2.0))
        self._cluster.recover()
        before = self._ledger.acknowledged
        wait_until(lambda: self._ledger.acknowledged > before, within=60, why="the server does not find back by itself")
        assert sorted(workers) == sorted(listeners(self.server.process.pid, self.server.port)), "a worker ended"

    def _unavailable(self):
        return sum(client.unavailable for client in self._traffic)

    # ---- one round

    def _sequence(self):
        """Each kind once, then as the seed says."""
        yield from self._kills
        while True:
            yield self._choice.choices(list(self._kills), list(self._kills.values()))[0]

    def _round(self, kill):
        before = self._ledger.acknowledged
        self._gate.open()
        began = time.monotonic()
        time.sleep(self._choice.uniform(0.3, 3.0))
        wait_until(lambda: self._ledger.acknowledged >= before + CLIENTS, within=60, why="nothing is acknowledged")
        kill()
        traffic = time.monotonic() - began
        self._gate.close()
        back = self._come_back()
        full = len(self.rounds) % FULL_AUDIT_EVERY == 0
        audited, complaints = self._audit(self._ledger.facts() if full else self._ledger.touched())
        done = Round(kill.__doc__, traffic, self._ledger.acknowledged - before, audited, back, complaints)
        self.rounds.append(done)
        self._say(f"{len(self.rounds):4}  {done}")
        self._complain(complaints)

    def _come_back(self):
        """Start what is gone, and wait until everybody who has to be there is there; returns the seconds."""
        began = time.monotonic()
        if self._cluster:
            self._cluster.recover()
        if self.server.process is None:
            self.server.start()
        wait_until(self._is_complete, within=60, why=lambda: f"not complete again:\n{tail(self.server.log_path)}")
        return time.monotonic() - began

    def _is_complete(self):
        pid, port = self.server.process.pid, self.server.port
        return len(listeners(pid, port)) == WORKERS and len(background(pid, port)) == 1 and self.server.is_ready()

    def _audit(self, facts):
        """Ask for the facts; everybody else is still."""
        facts = list(facts)
        clients = [Client(self.server.url, self._ledger) for _ in range(AUDITORS)]
        with ThreadPoolExecutor(AUDITORS) as pool:
            parts = [facts[at::AUDITORS] for at in range(AUDITORS)]
            found = pool.map(lambda client, part: [client.look(fact) for fact in part], clients, parts)
            complaints = [complaint for some in found for complaint in some if complaint is not None]
        for client in clients:
            client.close()
        return len(facts), complaints

    def _complain(self, complaints):
        for complaint in complaints:
            self._say(f"      {complaint}")
        self.complaints += complaints
        for client in self._traffic:
            for complaint in client.complaints:
                self._say(f"      {client.name}: {complaint}")
            self.complaints += client.complaints
            client.complaints = []

    def _final(self):
        audited, complaints = self._audit(self._ledger.facts())
        self._complain(complaints)
        self.server.stop()
        kills = Counter(one.what for one in self.rounds)
        done = sum((client.done for client in self._traffic), Counter())
        self._say("")
        self._say(f"killed: {', '.join(f'{what} {times} times' for what, times in kills.items())}")
        self._say(f"done: {', '.join(f'{name} {times}' for name, times in sorted(done.items()))}")
        self._say(
            f"{self._ledger.acknowledged} requests were acknowledged, {sum(c.broken for c in self._traffic)} broke off,"
            f" {self._unavailable()} of them with 503;"
            f" {audited} facts were asked for in the end: {len(self.complaints)} complaints"
        )
