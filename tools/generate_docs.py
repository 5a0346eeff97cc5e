# SPDX-License-Identifier: Apache-2.0
"""Write the pages of the guide that are made from the code: `make docs`. A test compares them with what is there."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from wharfinger.settings import Settings
from wharfinger.settings.kinds import Leaf, Many, Named, Records, leaves, variable_of
from wharfinger.settings.unsupported import FOREIGN

ROOT: Final = Path(__file__).resolve().parent.parent
GUIDE: Final = ROOT / "docs" / "guide"

_INTRODUCTION: Final = """\
# Settings

<!-- Made by tools/generate_docs.py from src/wharfinger/settings. Do not edit by hand: run `make docs`. -->

Wharfinger reads the `config.yml` of CNCF distribution (`registry:2`, `registry:3`): bring your file along. A key whose
help begins with "Ours" is new.

## Where a value comes from

1. An environment variable wins.
2. Then the configuration file.
3. Then the default.

`wharfinger check` shows every setting with its value and where it came from. Secrets are never shown.

## The file

- It begins with `version: 0.1`.
- An unknown key, a key that is there twice, or a value of the wrong kind stops start-up. Every mistake is shown at
  once, with its line.
- A key without a value means the default.
- `loglevel` and `validation.enabled`, which distribution itself gave up, still mean `log.level` and the opposite of
  `validation.disabled`.

## Environment variables

- The name is `REGISTRY_` and the path of the key in capitals, joined by `_`: `storage.delete.enabled` is
  `REGISTRY_STORAGE_DELETE_ENABLED`.
- A number is the place in a list: `REGISTRY_HTTP_TRUSTEDPROXIES_0=10.0.0.0/8`. The list begins with what the file says.
- A list or a section is written as in YAML: `REGISTRY_HTTP_TRUSTEDPROXIES='[10.0.0.0/8, unix]'`. A single value is
  taken as it is. An empty value means the default.
- Under a key that takes names, the rest is the name: `REGISTRY_LOG_FIELDS_SERVICE=registry`.
- `REGISTRY_STORAGE=filesystem` and `REGISTRY_AUTH=none` choose a kind and replace the whole section of the file.
- A variable that no setting has is ignored with a warning that names the nearest one. Under `REGISTRY_AUTH_` it stops
  start-up. What Kubernetes sets for a service called `registry` is passed over in silence.
- `REGISTRY_CONFIGURATION_PATH` names the configuration file, if the command line does not.

## How values are written

| kind | how | examples |
| --- | --- | --- |
| boolean | `true` or `false` | `true` |
| duration | numbers with units: `h`, `m`, `s`, `ms`, `us`, `ns` | `168h`, `1h30m`, `1.5s` |
| size | bytes, or a number with a unit: `KiB`, `MiB`, `GiB`, `TiB` or `kB`, `MB`, `GB`, `TB` | `256MiB`, `5GB` |
| address | `HOST:PORT`; `:PORT` means every interface | `127.0.0.1:5000`, `[::1]:5000`, `:5000` |
| network | an address, or a network in CIDR form | `10.0.0.5`, `10.0.0.0/8`, `fd00::/8` |

## Open mode

Without sign-in, whoever reaches the port may push and pull. On `127.0.0.1`, `::1`, `localhost` and on a Unix socket
nothing needs to be said. On any other address the server starts only if the settings choose it: `auth: none`,
`REGISTRY_AUTH=none`, or a configuration file without `auth`. Then a warning in the log says so.
"""


def main() -> None:
    """Write every generated page."""
    for path, page in PAGES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(), encoding="utf-8")
        print(path.relative_to(ROOT))


def settings_page() -> str:
    """Return the reference of all settings."""
    return "\n".join([_INTRODUCTION, *_sections(), *_foreign()])


def _sections() -> Iterator[str]:
    groups: dict[str, list[Leaf]] = {}
    for leaf in leaves(Settings()):
        groups.setdefault(leaf.key.split(".")[0], []).append(leaf)
    for group, members in groups.items():
        yield f"## `{group}`\n"
        rows = [row for leaf in members for row in _rows(leaf)]
        yield _table(("key", "environment variable", "kind", "default", "help"), rows)


def _rows(leaf: Leaf) -> Iterator[tuple[str, ...]]:
    yield f"`{leaf.key}`", f"`{leaf.variable}{_suffix(leaf)}`", leaf.kind.name, _default(leaf), leaf.help
    if isinstance(leaf.kind, Records):
        blank = leaf.kind.blank()
        for inner in leaves(blank):
            key = f"{leaf.key}[].{inner.key}"
            default = "needed" if inner.key in leaf.kind.needed else _default(inner)
            yield f"`{key}`", f"`{variable_of(key)}{_suffix(inner)}`", inner.kind.name, default, inner.help


def _suffix(leaf: Leaf) -> str:
    match leaf.kind:
        case Named():
            return "_<NAME>"
        case Many() | Records():
            return "[_<NUMBER>]"
        case _:
            return ""


def _default(leaf: Leaf) -> str:
    if leaf.value is None:
        return leaf.shown(leaf.value)
    return f"`{leaf.shown(leaf.value)}`" if leaf.value not in ("", (), {}) else "empty"


def _foreign() -> Iterator[str]:
    yield "## Accepted, and nothing needs to be done\n"
    yield "Distribution knows these keys. The file may keep them; a note in the log says why they are not needed.\n"
    yield _table(("key", "why"), [(f"`{row.key}`", _sentence(row.why)) for row in FOREIGN if not row.stops.when])
    yield "## What stops start-up\n"
    yield (
        "Distribution knows these keys too, but Wharfinger does not do them, or not yet. It refuses to start rather\n"
        "than run without what the file asks for. A section that is empty or switched off is accepted.\n"
    )
    stopping = [row for row in FOREIGN if row.stops.when]
    yield _table(
        ("key", "stops when", "what to know"), [(f"`{r.key}`", r.stops.when, _sentence(r.why)) for r in stopping]
    )


def _sentence(text: str) -> str:
    return text if text.startswith("http.") else text[0].upper() + text[1:]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


PAGES: Final[Mapping[Path, Callable[[], str]]] = {GUIDE / "settings.md": settings_page}

if __name__ == "__main__":
    main()
