# SPDX-License-Identifier: Apache-2.0
"""The languages of the console: which one a visitor gets, its texts, and how it writes numbers, sizes and times.

Texts are written in English where they are used, in templates inside `_(…)` or `{% trans %}` and in Python inside
`mark(…)`. The catalogs of a language, one file for each area, translate them. They are joined when the server starts,
so there is nothing to compile.
"""

import gettext
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from wharfinger.clock import DAY, SECOND, Instant, as_datetime
from wharfinger.domain.accounts import LANGUAGES

CODES: Final = LANGUAGES
CATALOGS: Final = Path(__file__).parent.parent / "locale"
COOKIE: Final = "lang"
FORGET: Final = "browser"
"""In the place of a language: what the browser keeps of one is forgotten."""
_MOMENTS: Final = {"ko": "y. M. d. HH:mm:ss"}
"""Where the medium form is not what people write: for Korean it has AM and PM in English."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_STEP: Final = 1000
_RECENT: Final = 30 * DAY
_MAX_WISHES: Final = 20
_PARTICLE: Final = re.compile(r"\([가이는은를을과와으]\)")
"""As in `을(를)` and `(으)로`, behind a value of which nobody knows how it is read."""
_JOINER: Final = "\N{WORD JOINER}"
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Several:
    """How many of something there are: each language knows which of its words a number takes.

    Args:
        one: for one, marked for translation, with the place `%(num)s`.
        many: for any other number.
        number: how many.
    """

    one: str
    many: str
    number: int


class Language:
    """One language.

    Args:
        code: as in `Accept-Language`.
        translations: its texts.
    """

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.code = code
        self.translations = translations
        self._locale = Locale.parse(code)

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return self._locale.get_display_name() or self.code

    def number(self, value: int) -> str:
        """Write a count."""
        return format_decimal(value, locale=self._locale)

    def several(self, counted: Several) -> str:
        """Write how many of something there are."""
        text = self.translations.ngettext(counted.one, counted.many, counted.number)
        return text % {"num": self.number(counted.number)}

    def size(self, value: int) -> str:
        """Write a number of bytes in the decimal units of container tools, with three figures."""
        scaled, unit = float(value), 0
        while scaled >= _STEP and unit < len(_UNITS) - 1:
            scaled /= _STEP
            unit += 1
        pattern = "0" if unit == 0 else "0.##" if scaled < 10 else "0.#" if scaled < 100 else "#,##0"  # noqa: PLR2004
        return f"{format_decimal(scaled, pattern, self._locale)}{_NO_BREAK}{_UNITS[unit]}"

    def when(self, instant: Instant, now: Instant) -> str:
        """Write how long ago something was; after a month, the day."""
        passed = max(now - instant, SECOND)  # nodes' clocks differ, and nothing was pushed in the future
        if passed > _RECENT:
            return format_date(as_datetime(instant), "medium", self._locale)
        return format_timedelta(timedelta(microseconds=-passed), add_direction=True, locale=self._locale)

    def day(self, instant: Instant) -> str:
        """Write the day, in UTC."""
        return format_date(as_datetime(instant), "medium", self._locale)

    def moment(self, instant: Instant) -> str:
        """Write the exact time."""
        return f"{format_datetime(as_datetime(instant), _MOMENTS.get(self.code, 'medium'), locale=self._locale)} UTC"


def catalogs(code: str) -> Sequence[Path]:
    """Return the files of a language's texts, one for each area of the console."""
    return sorted((CATALOGS / code / "LC_MESSAGES").glob("*.po"))


def load() -> dict[str, Language]:
    """Return every language by its code, the source language first."""
    return {code: Language(code, _translations(code)) for code in CODES}


def choose(cookie: str | None, accepted: str | None, preferred: str | None = None) -> str:
    """Return the code of the language that is shown.

    Args:
        cookie: what the browser keeps: a language that the visitor chose in it comes first.
        accepted: what the browser says that it prefers; that comes last.
        preferred: what the visitor's profile says.
    """
    chosen = cookie_of(cookie or "", COOKIE)
    if chosen in CODES:
        return chosen
    if preferred in CODES:
        return preferred
    return next((wish for wish in _wishes(accepted or "") if wish in CODES), CODES[0])


def mark(text: str) -> str:
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return text


def _translations(code: str) -> gettext.NullTranslations:
    if code == CODES[0]:
        return gettext.NullTranslations()
    catalog = Catalog(locale=code)
    for path in catalogs(code):
        with path.open("rb") as file:
            for message in read_po(file, locale=code, abort_invalid=True):
                if message.id:
                    text = message.string or ""
                    catalog.add(message.id, _held(text) if isinstance(text, str) else tuple(map(_held, text)))
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _held(text: str) -> str:
    """Keep both forms of a Korean particle on one line: browsers would end one at its brackets."""
    return _PARTICLE.sub(rf"{_JOINER}\g<0>", text).replace("(으)로", f"(으){_JOINER}로")


def cookie_of(header: str, wanted: str) -> str:
    """Return the value of a cookie; empty if there is none."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for name, _, value in pairs if name == wanted), "")


def _wishes(header: str) -> Sequence[str]:
    """Return the languages of an `Accept-Language`, the dearest first, without their regions."""
    wishes: list[tuple[float, str]] = []
    for part in header.split(",")[:_MAX_WISHES]:
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0:
            wishes.append((-quality, tag.strip().partition("-")[0].lower()))
    return [wish for _, wish in sorted(wishes, key=lambda pair: pair[0])]
