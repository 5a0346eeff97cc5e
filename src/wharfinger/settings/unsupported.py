# SPDX-License-Identifier: Apache-2.0
"""What CNCF distribution's `config.yml` knows and Wharfinger does not do, decided key by key.

Two answers, and no third: either nothing is lost without it, then it is accepted with a note that says why; or
without it somebody else would come in, or something that the operator counts on would not happen, then the server
refuses to start. A section that is empty or switched off asks for nothing, so it never stops start-up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wharfinger.settings.document import Node, Scalar, Series, Table, find, is_null

_NOT_YET: Final = "is known, but not built yet; refusing to start rather than run without it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One key of distribution's, with everything under it.

    Args:
        key: the dotted key.
        why: what the operator should know about it.
        stops: whether what the file says there asks for something that would be missing.
        verdict: the sentence that stops start-up; the `why` follows it.
    """

    key: str
    why: str
    stops: "Asked"
    verdict: str = _NOT_YET


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """When a key asks for something that would be missing.

    Args:
        when: the same in words, for the reference page; empty for never.
        holds: whether what was written there does.
    """

    when: str
    holds: Callable[[Node], bool]


def filled(node: Node) -> bool:
    """Say whether anything is set: a text, a number, `true`."""
    match node:
        case Scalar():
            return not node.null and node.text.lower() not in {"", "false", "no", "off", "0"}
        case Series():
            return any(filled(item) for item in node.items)
        case Table():
            return any(filled(entry) for entry in node.entries.values())


def switched_on(node: Node) -> bool:
    """Say whether a list, or any list in a table, has an entry that is not disabled."""
    match node:
        case Scalar():
            return filled(node)
        case Series():
            return any(filled(item) and not _disabled(item) for item in node.items)
        case Table():
            return any(switched_on(entry) for entry in node.entries.values())


def _disabled(entry: Node) -> bool:
    return isinstance(entry, Table) and filled(entry.entries.get("disabled", Table({}, entry.mark)))


def _having(key: str, test: Callable[[Node], bool]) -> Callable[[Node], bool]:
    """Return a test of one key within the section; a section that is no table is not understood, so it stops."""

    def holds(node: Node) -> bool:
        if isinstance(node, Table):
            found = find(node, key)
            return found is not None and test(found)
        return not is_null(node)

    return holds


NEVER: Final = Asked(when="", holds=lambda _node: False)
NAMED: Final = Asked(when="it is there at all", holds=lambda _node: True)
FILLED: Final = Asked(when="anything in it is set", holds=filled)
SWITCHED_ON: Final = Asked(when="it has an entry without `disabled: true`", holds=switched_on)


def _harmless(key: str, why: str) -> Foreign:
    return Foreign(key=key, why=why, stops=NEVER)


def _storage(kind: str) -> Foreign:
    return Foreign(key=f"storage.{kind}", why="the storage that works today is storage.filesystem", stops=NAMED)


def _auth(kind: str, who: str) -> Foreign:
    return Foreign(
        key=f"auth.{kind}",
        why=f"{who}; auth: none would let everybody in, so choose it only on purpose",
        stops=NAMED,
    )


STORAGE_KINDS: Final = ("s3", "s3aws", "gcs", "azure", "swift", "oss", "rados", "inmemory")

FOREIGN: Final[tuple[Foreign, ...]] = (
    # Accepted: nothing is lost.
    _harmless("storage.cache", "descriptors are in the database and manifests are cached by digest already"),
    _harmless("storage.tag", "tags are rows of the database; finding those of a manifest is one query"),
    _harmless("storage.redirect", "files on a local disk are never redirected"),
    _harmless("redis", "no cache outside the process is needed"),
    _harmless("http.relativeurls", "clients find their way with either form of a Location"),
    _harmless("http.tls.clientauth", "it matters only together with http.tls.clientcas"),
    _harmless("log.reportcaller", "every line names its event instead of a place in the source"),
    # Accepted while empty or switched off; otherwise they stop start-up.
    Foreign(
        key="log.hooks",
        why="no mail would be sent; watch the log with the tools of the system instead",
        stops=SWITCHED_ON,
    ),
    Foreign(
        key="notifications",
        why="no endpoint would hear of pushes; set disabled: true on each endpoint to start without",
        stops=Asked(when="it has an endpoint without `disabled: true`", holds=_having("endpoints", switched_on)),
    ),
    Foreign(
        key="proxy",
        why="without it this is an ordinary registry that takes pushes, not a cache of another",
        stops=Asked(when="`remoteurl` is set", holds=_having("remoteurl", filled)),
    ),
    Foreign(key="middleware", why="nothing would be called or redirected", stops=SWITCHED_ON),
    Foreign(key="reporting", why="no error would be reported to Bugsnag or New Relic", stops=FILLED),
    Foreign(key="http.tls.clientcas", why="clients without a certificate would come in", stops=FILLED),
    Foreign(key="http.tls.letsencrypt", why="give http.tls.certificate and http.tls.key instead", stops=FILLED),
    Foreign(
        key="http.tls.ciphersuites",
        why="the suites of TLS 1.2 and 1.3 cannot be chosen one by one; only modern ones are offered",
        stops=FILLED,
        verdict="is known, but not possible here; refusing to start rather than offer other suites than these",
    ),
    Foreign(
        key="policy",
        why="content of every class would be taken",
        stops=Asked(when="`repository.classes` is set", holds=_having("repository.classes", filled)),
    ),
    Foreign(
        key="compatibility",
        why="images of schema 1 are refused at push and never made up at pull",
        stops=Asked(when="`schema1.enabled` is set", holds=_having("schema1.enabled", filled)),
        verdict="asks for schema 1, which is not spoken here; refusing to start rather than surprise an old client",
    ),
    # Naming it is enough.
    _auth("silly", "nobody would be asked for anything"),
    *(_storage(kind) for kind in STORAGE_KINDS),
)

BY_KEY: Final = {foreign.key: foreign for foreign in FOREIGN}
