# SPDX-License-Identifier: Apache-2.0
"""What a deleted registry leaves beside its bytes: an inventory, from which a new registry gets its images back.

```text
{"format":1,"registry":"team","closed_at":1700000000000000}
["blob","sha256:…",size,"3f/3f2a…","live",created,verified]     bytes, and the key under which they are
["object","7c/7c1d…",size]                                      bytes that were to be removed
["namespace","acme","private",created]
["repository",{"name":"acme/app",…}]                            what follows belongs to it
["member","sha256:…",created]                                   a blob that it has
["manifest",{"digest":"sha256:…","content":"…",…}]
["edge","sha256:…",position,"layer","sha256:…",type,size,"blob"]   of which manifest, and what it leads to here
["tag","v1","sha256:…",moved]
["page","…",changed]                                            its full description, in Markdown
["pulls","v1",day,count,last]
{"end":12}                                                      how many lines there were; without it, it is a half
```

It names everything by digest and name, and nothing by a number of some database: any deployment can read it. Times are
microseconds since 1970. Roles, trust rules, owners and the trash are not in it: who may do what is not the storage's to
say. The lines are compressed by gzip.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant, as_datetime

FORMAT: Final = 1
Entry = list[object]
"""A line after the first, as JSON has it: its kind, and what belongs to that."""
PREFIX: Final = "own/inventory-"


class InventoryUnfit(Exception):
    """The lines are no whole inventory, or one that this version cannot read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """An inventory that lies in a storage.

    Args:
        key: where.
        registry: what the registry was called.
        closed_at: when it was deleted.
    """

    key: str
    registry: str
    closed_at: Instant


def key_of(closed_at: Instant, mark: str) -> str:
    """Return the key of an inventory: the same for every process that writes it, and sorted by age."""
    return f"{PREFIX}{as_datetime(closed_at):%Y%m%dT%H%M%SZ}-{mark[:12]}"


def head(registry: str, closed_at: Instant) -> Mapping[str, object]:
    """Return the first line."""
    return {"format": FORMAT, "registry": registry, "closed_at": closed_at}


def parse_head(key: str, line: object) -> Inventory:
    """Return what the first line says.

    Raises:
        InventoryUnfit: it is none, or of a later format.
    """
    if not isinstance(line, dict) or not isinstance(line.get("registry"), str):
        message = f"{key} is no inventory of a registry"
        raise InventoryUnfit(message)
    if line.get("format") != FORMAT or not isinstance(line.get("closed_at"), int):
        message = f"{key} has format {line.get('format')}; this version reads {FORMAT}: use a newer one"
        raise InventoryUnfit(message)
    return Inventory(key=key, registry=line["registry"], closed_at=Instant(line["closed_at"]))


class Counter:
    """Follows the lines of an inventory, and says in the end whether they were all."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.head: Inventory | None = None
        self.count = 0
        self.is_whole = False

    def entries(self, lines: Sequence[object]) -> Iterator[Entry]:
        """Yield the entries among some more lines.

        Raises:
            InventoryUnfit: they do not follow the format.
        """
        for line in lines:
            if self.head is None:
                self.head = parse_head(self._key, line)
            elif isinstance(line, list) and line and not self.is_whole:
                self.count += 1
                yield line
            elif isinstance(line, dict) and line.get("end") == self.count:
                self.is_whole = True
            else:
                message = f"{self._key} cannot be read after its line {self.count + 1}"
                raise InventoryUnfit(message)

    def require_whole(self) -> None:
        """Return if the end was seen.

        Raises:
            InventoryUnfit: it was not.
        """
        if not self.is_whole:
            message = f"{self._key} ends before its end"
            raise InventoryUnfit(message)
