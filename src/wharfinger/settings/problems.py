# SPDX-License-Identifier: Apache-2.0
"""What is wrong or worth saying about the settings, with the place where it was said.

An operator mends a file in one go, not one line for each start: everything is collected, nothing stops at the first.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where something was said: a line of a file, or an environment variable."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One reason not to start, as one line for the operator."""

    mark: Mark
    key: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        subject = f"{self.mark}: {self.key}" if self.key else str(self.mark)
        return f"{subject}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class SettingsError(Exception):
    """The settings cannot be used.

    Args:
        problems: all reasons, in the order in which they were found.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class Findings:
    """What one reading of the settings has found so far.

    A warning is a note that deserves attention; it stands in both lists.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    while_open: list[str] = field(default_factory=list)

    def problem(self, mark: Mark, key: str, message: str, hint: str = "") -> None:
        """Add a reason not to start."""
        self.problems.append(Problem(mark=mark, key=key, message=message, hint=hint))

    def note(self, text: str) -> None:
        """Add a sentence that is good to know."""
        self.notes.append(text)

    def warn(self, text: str, *, while_open: bool = False) -> None:
        """Add a sentence that the operator should act on, or know on purpose.

        Args:
            text: the sentence.
            while_open: it holds only while nobody has to sign in.
        """
        self.notes.append(text)
        self.warnings.append(text)
        if while_open:
            self.while_open.append(text)


def nearest_key(key: str, known: Iterable[str]) -> str | None:
    """Return the known dotted key that was most likely meant.

    A misspelt last part is looked for beside it first, then the same last part elsewhere in the tree (somebody wrote
    `storage.rootdirectory`), then anything alike.
    """
    keys = list(known)
    parent, _, last = key.rpartition(".")
    beside = {name: other for other in keys for above, _, name in [other.rpartition(".")] if above == parent}
    alike = difflib.get_close_matches(last.lower(), beside, n=1, cutoff=0.7)
    if alike:
        return beside[alike[0]]
    elsewhere = [other for other in keys if other.rpartition(".")[2] == last]
    close = difflib.get_close_matches(key, elsewhere, n=1, cutoff=0.0)
    close = close or difflib.get_close_matches(key.lower(), keys, n=1, cutoff=0.75)
    return close[0] if close else None
