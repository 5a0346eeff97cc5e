# SPDX-License-Identifier: Apache-2.0
"""What a deleted registry leaves beside its bytes: an inventory, from which a new registry gets its images back.

```text
{"format":2,"registry":"team","closed_at":1700000000000000}
["blob","sha256:…",size,"3f/3f2a…","live",created,verified]     bytes, and the key under which they are
["object","7c/7c1d…",size]                                      bytes that were to be removed
["namespace",{"name":"acme","owner":WHO,…}]                     what follows belongs to it
["repository",{"name":"acme/app",…,"created_by":WHO}]           what follows belongs to it
["member","sha256:…",created]                                   a blob that it has
["page","…",changed,WHO]                                        its full description, in Markdown
["manifest",{"digest":"sha256:…","content":"…",…,"pushed_by":WHO}]
["edge","sha256:…",position,"layer","sha256:…",type,size,"blob"]   of which manifest, and what it leads to here
["tag","v1","sha256:…",moved,WHO]
["step","v1","sha256:…","sha256:…",at,"ann",detail]             of the history of its tags, in order
["retention",{"rules":[…],"changed_by":WHO,…}]                  also of a namespace
["role","write",{"account":WHO},given,WHO]                      also of a namespace; or {"team":[WHO,"core",made]}
["pulls","v1",day,count,last]
["star",WHO,at]
{"end":12}                                                      how many lines there were; without it, it is a half
```

It names everything by digest and name, and nothing by a number of some database: any deployment can read it. Times are
microseconds since 1970. `WHO` is an account, as `["ann",made]` with the time when it was made, or nothing: who has the
name of an account that was deleted is somebody else. The lines are compressed by gzip.

Roles, owners, stars, and who did what come back only to the deployment that wrote the inventory, which knows its
digest: who may do what is not the storage's to say. Roles on the whole registry, robots, trust rules, hosts and the
trash are not in it.

Format 1 had no people, no history and no rules: `["namespace","acme","private",created]`, `["page","…",changed]`,
`["tag","v1","sha256:…",moved]`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wharfinger.clock import Instant, as_datetime

FORMAT: Final = 2
FIRST_WITH_HISTORY: Final = 2
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
        format: of its lines.
    """

    key: str
    registry: str
    closed_at: Instant
    format: int

    @property
    def has_history(self) -> bool:
        """Whether it tells how every tag came to where it is."""
        return self.format >= FIRST_WITH_HISTORY


def key_of(closed_at: Instant, mark: str) -> str:
    """Return the key of an inventory: the same for every process that writes it, and sorted by age."""
    return f"{PREFIX}{as_datetime(closed_at):%Y%m%dT%H%M%SZ}-{mark[:12]}"


def is_of(key: str, mark: str) -> bool:
    """Say whether the registry with this mark wrote the inventory."""
    return key.endswith(f"-{mark[:12]}")


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
    number, closed_at = line.get("format"), line.get("closed_at")
    if type(number) is not int or not 1 <= number <= FORMAT or type(closed_at) is not int:
        message = f"{key} has format {str(number)[:20]}; this version reads 1 to {FORMAT}: use a newer one"
        raise InventoryUnfit(message)
    return Inventory(key=key, registry=line["registry"][:100], closed_at=Instant(closed_at), format=number)


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
