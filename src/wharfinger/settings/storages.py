# SPDX-License-Identifier: Apache-2.0
"""What only shows when the storages and the domains of registries are looked at together."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wharfinger.settings.tree import Settings

_OURS: Final = "wharfinger"
"""The folder below a root directory in which everything of ours lies."""
_ONE_EACH: Final = "two registries never share one"


class Clash(NamedTuple):
    """Two values that do not go together: the key of one, what is wrong, and what would be right."""

    key: str
    message: str
    hint: str = ""


def clashes(settings: Settings) -> Iterator[Clash]:
    """Yield what is wrong: names or directories that come twice, domains that nobody could reach."""
    names: dict[str, str] = {}
    places = {_resolved(settings.storage.filesystem.rootdirectory): "storage.filesystem"}
    for index, one in enumerate(settings.storages):
        key, place = f"storages.{index}", _resolved(one.rootdirectory)
        if not one.name or one.rootdirectory == Path():
            continue  # that something is missing is said already
        if one.name in names:
            yield Clash(f"{key}.name", f"is the name of {names[one.name]} too; each storage has its own")
        for known, what in places.items():
            if place == known:
                yield Clash(f"{key}.rootdirectory", f"is the directory of {what} too", _ONE_EACH)
            elif place.is_relative_to(known / _OURS) or known.is_relative_to(place / _OURS):
                yield Clash(f"{key}.rootdirectory", f"lies within that of {what}, or the other way round", _ONE_EACH)
        names.setdefault(one.name, key)
        places.setdefault(place, key)
    yield from _of_domains(settings)


def _of_domains(settings: Settings) -> Iterator[Clash]:
    given = settings.registries
    if given.privatedomain is None:
        return
    if given.privatedomain == given.publicdomain:
        yield Clash("registries.privatedomain", "is the public domain too", "private endpoints need one of their own")
    if not given.privatenetworks:
        message = "is missing: private endpoints would answer nobody"
        yield Clash("registries.privatenetworks", message, "list the networks of your clients")


def _resolved(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
