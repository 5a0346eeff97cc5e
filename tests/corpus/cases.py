# SPDX-License-Identifier: Apache-2.0
"""Cases of the corpus: reading them from YAML, and filling in what only a running registry knows.

```yaml
- id: D01                                   # group letter and number; variants after a dot
  why: shorter than its algorithm
  request: GET /v2/${R}/blobs/sha256:abc    # method and target, sent as they stand
  headers: {Range: bytes=0-0}               # further headers, or a list of pairs where one comes twice
  body: text                                # or one of the forms of `body_of`
  expect: 400 DIGEST_INVALID                # status and code; alternatives between `|`; `close` is no answer at all
  message: regular expression               # found in the first message
  answer: {Range: 0-0}                      # headers of the answer, as regular expressions that match wholly
  after: [{request: …, expect: …}]          # further requests, each a small case of its own
```

Also: `chunked: true` sends the body without a length; `raw: "…"` replaces request, headers and body by bytes;
`server: true` marks what the HTTP server may answer by itself, before any code of ours; `closes: true` demands that
the connection ends; `half_close: true`; `registry: keeping` sends it to the registry whose deletion is off,
`registry: accounts` to one with accounts; `anonymous: true` sends no `Authorization` header;
`hashes: true` says that a password is hashed, which takes memory;
`seconds:` is the time limit; `keep: true` says that a 2xx answer must change nothing either.

`${name}` is a fact of the running registry (`conftest.Facts`), `${text*3}` is text, thrice.
"""

import base64
import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.protocol.content import image, index

FOLDER = Path(__file__).parent
LIMIT_SECONDS = 5
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_ENDLESS_PIECE = b" " * 65_536
_ENDLESS_PIECES = 4096
"""How much an endless body has at most, so that a registry that reads all of it fails and does not hang."""


@dataclass(frozen=True)
class Case:
    """One request and what must come of it."""

    id: str
    why: str
    expect: str
    request: str = ""
    raw: str = ""
    headers: object = field(default_factory=dict)
    body: object = ""
    chunked: bool = False
    message: str = ""
    answer: dict = field(default_factory=dict)
    after: tuple = ()
    server: bool = False
    closes: bool = False
    half_close: bool = False
    anonymous: bool = False
    hashes: bool = False
    registry: str = "deleting"
    seconds: float = LIMIT_SECONDS
    keep: bool = False

    @property
    def method(self):
        return self.request.partition(" ")[0] or self.raw.partition(" ")[0]

    @property
    def succeeds(self):
        return self.expect.startswith("2")

    @property
    def stores(self):
        """Whether what clients see may be another thing afterwards."""
        return self.succeeds and self.method not in {"GET", "HEAD"}

    def steps(self):
        """Return the case itself, and each request after it as a case of its own."""
        yield self
        for number, step in enumerate(self.after, start=1):
            yield Case(id=f"{self.id} step {number}", why=self.why, registry=self.registry, **step)

    def allows(self, status, code):
        """Say whether an answer is one of those that were expected."""
        return any(_fits(alternative.split(), status, code) for alternative in self.expect.split("|"))

    def pairs(self, facts):
        """Return the headers to send."""
        pairs = self.headers.items() if isinstance(self.headers, dict) else self.headers
        return [(name, filled(str(value), facts)) for name, value in pairs]


def _fits(alternative, status, code):
    wanted, *rest = alternative
    return status == (0 if wanted == "close" else int(wanted)) and (not rest or rest == [code])


def load(name):
    """Return the cases of one group."""
    rows = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return [Case(**row) for row in rows]


def groups():
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def filled(text, facts):
    """Replace every `${…}`."""

    def value(found):
        name = found.group(1)
        text, star, times = name.rpartition("*")
        return text * int(times) if star and times.isdigit() else str(facts[name])

    return _PLACEHOLDER.sub(value, text)


def body_of(form, facts):
    """Return a body as an iterable of pieces.

    A text stands for itself. Else: `hex`, `latin` (bytes by their code points), `json`, `manifest` and `index` (a
    valid one with these fields changed, `without` these), each with `padded_to` a length or put into `utf-16`;
    `text` with `times`; `endless`: a text, then spaces that never stop.
    """
    if isinstance(form, str):
        return [filled(form, facts).encode()]
    if "endless" in form:
        return itertools.chain([form["endless"].encode()], itertools.repeat(_ENDLESS_PIECE, _ENDLESS_PIECES))
    content = _content(form, facts)
    if "encoding" in form:
        content = content.decode().encode(form["encoding"])
    return [content.ljust(form.get("padded_to", 0))]


def _content(form, facts):
    if "hex" in form:
        return bytes.fromhex(form["hex"])
    if "latin" in form:
        return form["latin"].encode("latin-1")
    if "text" in form:
        return filled(form["text"], facts).encode() * form.get("times", 1)
    if "json" in form:
        document = form["json"]
    elif "index" in form:
        document = index() | form["index"]
    else:
        document = image(facts.config, [facts.layer]) | form["manifest"]
    document = {name: value for name, value in document.items() if name not in form.get("without", ())}
    return filled(json.dumps(_repeated(document)), facts).encode()


def _repeated(value):
    """Replace `{repeat: entry, times: n}` by a list, and `{base64: text}` by its encoding."""
    if isinstance(value, dict):
        if set(value) == {"repeat", "times"}:
            return [_repeated(value["repeat"])] * value["times"]
        if set(value) == {"base64"}:
            return base64.b64encode(value["base64"].encode()).decode()
        return {name: _repeated(inner) for name, inner in value.items()}
    return [_repeated(inner) for inner in value] if isinstance(value, list) else value
