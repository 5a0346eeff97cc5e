# SPDX-License-Identifier: Apache-2.0
"""Several nodes over one PostgreSQL and one folder of blobs, in a hurry: hours of the product last seconds (`hasty`).

PostgreSQL itself notes what is taken away, so that nothing is missed between two looks.
"""

import os
import re
import time
import urllib.request
from collections import Counter
from pathlib import Path

import psycopg

from tests.support.postgres import PostgreSQL
from tests.support.server import Server

HASTY = Path(__file__).parent / "hasty"
GRACE, WINDOW = 8.0, 3.0
"""Seconds for which a blob without a manifest is kept, and something that was deleted."""
CLAIM = 4.0
WATCH = """
CREATE TABLE watched (id serial PRIMARY KEY, what text, which text, at bigint, until bigint, backend int);
CREATE FUNCTION watch_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO watched (what, which, at, backend)
    VALUES (TG_OP || ' tombstone', CASE TG_OP WHEN 'INSERT' THEN NEW.store_key ELSE OLD.store_key END,
            extract(epoch FROM clock_timestamp()) * 1000000, pg_backend_pid());
  RETURN NULL;
END $$;
CREATE FUNCTION watch_membership() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO watched (what, which, at, until, backend)
    SELECT 'DELETE membership', OLD.repository_id || '/' || OLD.blob_id,
           extract(epoch FROM clock_timestamp()) * 1000000,
           CASE WHEN OLD.unlinked_at IS NULL AND r.deleted_at IS NULL THEN OLD.lease_until END, pg_backend_pid()
      FROM repositories r WHERE r.id = OLD.repository_id;
  RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER INSERT OR DELETE ON tombstones FOR EACH ROW EXECUTE FUNCTION watch_tombstone();
CREATE TRIGGER watch AFTER DELETE ON repository_blobs FOR EACH ROW EXECUTE FUNCTION watch_membership();
"""


class Nodes:
    """So many nodes; each is a process group of its own, and is killed, or ended, alone.

    Args:
        folder: for everything that they write.
        count: how many.
        settings: further variables, for all of them.
        claim: seconds for which a node that died keeps work from the others.
    """

    def __init__(self, folder, count=2, *, settings=None, claim=CLAIM):
        self.folder = Path(folder)
        self.cluster = PostgreSQL()
        self.url = self.cluster.database()
        self.data = self.folder / "data"
        self._settings = {
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(self.data),
            "REGISTRY_COLLECTION_INTERVAL": "1s",
            "REGISTRY_COLLECTION_BATCH": "5",
            "REGISTRY_COLLECTION_GRACE": f"{GRACE}s",
            "REGISTRY_UNDO_WINDOW": f"{WINDOW}s",
            "REGISTRY_VERIFICATION_ENABLED": "false",
            "PYTHONPATH": f"{HASTY}:{os.environ.get('PYTHONPATH', '')}",
            "CLAIM": f"{claim}",
            **(settings or {}),
        }
        self.servers = [self.node(f"node-{number}") for number in range(count)]

    def node(self, name, **more):
        """Return a node that is not started yet; `more` are variables of it alone."""
        environment = {**self._settings, "NODE": name, **more}
        return Server(self.folder / name, database=self.url, environment=environment)

    def start(self):
        for server in self.servers:
            server.start()
        self.watch()
        return self

    def watch(self):
        """Have the database note what is taken away; its tables are there."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(WATCH)

    def objects(self):
        """The files of blobs."""
        folder = self.data / "wharfinger" / "blobs"
        return [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "own"]

    def living(self):
        """The URLs of the nodes that answer."""
        return [server.url for server in self.servers if server.process is not None]

    def ask(self, statement, *values):
        """Return what the database says."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement, values or None).fetchall()

    def close(self):
        for server in self.servers:
            server.kill()
        self.cluster.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def complaints(self):
        """What was taken away wrongly since the start."""
        twice = self.ask(
            "SELECT what, which FROM watched WHERE what LIKE '%tombstone' GROUP BY 1, 2 HAVING count(*) > 1"
        )
        early = self.ask("SELECT which, until - at FROM watched WHERE until > at")
        return [
            *(f"{what} happened twice to {which}" for what, which in twice),
            *(f"{which} was taken {left / 1e6:.1f} s before its lease was over" for which, left in early),
        ]

    def wait_until_all_is_collected(self, within=60):
        """Return once nothing is due any more, nor will be."""
        end = time.monotonic() + within
        while left := self.left():
            assert time.monotonic() < end, f"still to be collected: {left}"
            time.sleep(0.2)

    def left(self):
        """What is to be looked at or removed, now or later, by kind."""
        tables = ("manifest_reviews", "blob_reviews", "tombstones")
        found = {table: self.ask(f"SELECT * FROM {table} LIMIT 3") for table in tables}
        return {table: rows for table, rows in found.items() if rows}


def collected(server):
    """What a node has removed since its start, by kind; from its metrics."""
    removed = r'^wharfinger_collection_reviews_total\{kind="(\w+)",outcome="removed"\} (\S+)$'
    found = re.findall(removed, _metrics(server), re.MULTILINE)
    return Counter({kind: int(float(value)) for kind, value in found})


def metric(server, name):
    """A number of a node; 0 for one that it has not said yet."""
    found = re.search(rf"^{name} (\S+)$", _metrics(server), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _metrics(server):
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        return answer.read().decode()
