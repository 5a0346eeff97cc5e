# SPDX-License-Identifier: Apache-2.0
"""The corpus of bad input, row by row over a socket, and what must hold after each row whatever it was.

The rows are data, one YAML file for each group:

```text
N names and paths    D digests    T tags    U uploads    X mounts    M manifests
R reads              L listings   E deletes P the HTTP protocol itself
K sign-in
```

After each row: no answer of the 500s, no stack trace, an error of the 400s in the specification's form, within the
time limit; nothing a client can see changed unless the row is to succeed; the headers of every answer; the secret of
the `Authorization` header not in the log; memory not grown by more than a bounded amount.
"""

import re

import pytest

from tests.corpus.cases import body_of, filled, groups, load
from tests.corpus.conftest import CANARY, CREDENTIALS
from tests.corpus.wire import exchange, in_chunks, request_bytes
from tests.protocol.client import check_error

CASES = {group: load(group) for group in groups()}
ROWS = [pytest.param(case, id=case.id) for group in CASES.values() for case in group]
MEBIBYTE = 2**20
GROWTH_REFUSED, GROWTH_STORED, GROWTH_OF_THE_RUN = 16 * MEBIBYTE, 40 * MEBIBYTE, 96 * MEBIBYTE
"""What one row may cost; reading and keeping a manifest of 4 MiB costs some times its size, once."""


def payload_of(case, facts):
    """Return the bytes of a request, with a secret in it that must never be seen again."""
    if case.raw:
        return filled(case.raw, facts).encode("latin-1")
    method, _, target = filled(case.request, facts).partition(" ")
    pieces = body_of(case.body, facts)
    headers = case.pairs(facts)
    given = {name.lower() for name, _ in headers}
    if "host" not in given:
        headers.insert(0, ("Host", facts["HOST"]))
    if "authorization" not in given and not case.anonymous:
        headers.append(("Authorization", f"Basic {CREDENTIALS}"))
    if case.chunked:
        headers.append(("Transfer-Encoding", "chunked"))
        return _chained(request_bytes(method, target, headers), in_chunks(pieces))
    content = b"".join(pieces)
    if "content-length" not in given and (content or method in {"POST", "PUT", "PATCH"}):
        headers.append(("Content-Length", str(len(content))))
    return request_bytes(method, target, headers, content)


def _chained(first, rest):
    yield first
    yield from rest


def check_answer(case, answer, facts):
    where = f"{case.id} ({case.why}): {answer.status} {answer.body[:300]!r}"
    code = None
    assert answer.status < 500, where
    assert b"Traceback" not in answer.body, where
    assert answer.seconds < case.seconds, where
    if not case.server:
        assert answer.header("x-content-type-options") == "nosniff", where
        assert answer.header("x-request-id"), where
        if answer.status >= 400 and case.method != "HEAD":
            code = check_error(answer.status, answer.fields, answer.body, where)
    assert case.allows(answer.status, code), f"{where}, expected {case.expect}"
    assert not case.closes or answer.closed, f"{where}: the connection stays open"
    assert re.search(case.message, _message(answer) if case.message else ""), where
    for name, pattern in case.answer.items():
        found = answer.header(name)
        assert re.fullmatch(filled(pattern, facts), "" if found is None else found), f"{where}: {name} is {found}"


def _message(answer):
    return answer.body.decode()


@pytest.mark.parametrize("case", ROWS)
def test_row(case, targets):
    target = targets[case.registry]
    facts = target.facts
    for name in ("location", "ID", "TOKEN"):
        facts.pop(name, None)
    before, memory = target.known_state or target.state(), target.memory()
    for step in case.steps():
        answer = exchange(
            target.address,
            payload_of(step, facts),
            seconds=step.seconds,
            method=step.method,
            until_closed=step.closes,
            half_close=step.half_close,
        )
        check_answer(step, answer, facts)
    stores = not case.keep and any(step.stores for step in case.steps())
    target.known_state = target.state()
    assert stores or target.known_state == before, f"{case.id} changed what clients see"
    log = target.new_log()
    assert CANARY not in log
    assert CREDENTIALS not in log
    assert "Traceback" not in log
    assert target.memory() - memory < (GROWTH_STORED if stores or case.hashes else GROWTH_REFUSED)


def test_every_row_has_an_id_of_its_own_in_the_file_of_its_group():
    ids = [case.id for group in CASES.values() for case in group]
    assert len(ids) == len(set(ids))
    for group in CASES.values():
        assert len({case.id[0] for case in group}) == 1


def test_registry_answers_and_has_not_grown_much_after_all_rows(targets):
    """Comes last in this file: the whole run may cost some memory, but not with every row."""
    for target in targets.values():
        assert target.client.get("/v2/").status_code == 200
        assert target.memory() - target.memory_at_start < GROWTH_OF_THE_RUN
