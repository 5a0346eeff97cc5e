# SPDX-License-Identifier: Apache-2.0
"""From a view to HTML: templates that escape everything, one environment for each language."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wharfinger.clock import as_datetime
from wharfinger.console import flags
from wharfinger.console.assets import Assets
from wharfinger.console.calls import View
from wharfinger.console.forms import link
from wharfinger.console.languages import CODES, Language, Several
from wharfinger.domain.sentences import Sentence

TEMPLATES: Final = Path(__file__).parent / "templates"


class Renderer:
    """Renders views.

    Args:
        languages: by code.
        assets: the style and script that pages link to.
        prefix: the path under which the whole site lies.
    """

    def __init__(self, languages: Mapping[str, Language], assets: Assets, prefix: str) -> None:
        self._languages = languages
        self._assets = assets
        self._prefix = prefix
        self._environments = {code: self._environment(language) for code, language in languages.items()}

    def render(self, code: str, view: View, shared: Mapping[str, object]) -> str:
        """Return the page.

        Args:
            code: the visitor's language.
            view: what is shown.
            shared: what every page of this request knows.
        """
        template = self._environments[code].get_template(view.template)
        return template.render({**shared, **view.values})

    def translate(self, code: str, text: str) -> str:
        """Return a marked text in a language."""
        return self._languages[code].translations.gettext(text)

    def say(self, code: str, sentence: Sentence) -> str:
        """Return a sentence in a language."""
        return sentence.said(self._languages[code].translations.gettext)

    def count(self, code: str, counted: Several) -> str:
        """Return how many of something there are, in a language."""
        return self._languages[code].several(counted)

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
            finalize=_speaker(language),
        )
        environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]  # the extension's
        environment.globals |= {
            "asset": self._assets.url,
            "hoist": flags.hoist,
            "language": language,
            "languages": [self._languages[code] for code in CODES],
            "link": link,
            "root": self._prefix,
            "scripts": self._assets.scripts,
            "translate": self.translate,
        }
        environment.filters |= {
            "day": language.day,
            "iso": lambda instant: as_datetime(instant).isoformat(timespec="seconds"),
            "moment": language.moment,
            "number": language.number,
            "size": language.size,
            "sized": lambda values: {
                name.removesuffix("_bytes"): language.size(value) if name.endswith("_bytes") else value
                for name, value in values.items()
            },
            "when": language.when,
        }
        return environment


def _speaker(language: Language) -> Callable[[object], object]:
    """Return what every value goes through on its way into a page: a sentence becomes one of the page's language."""
    translate = language.translations.gettext

    def say(value: object) -> object:
        return value.said(translate) if isinstance(value, Sentence) else value

    return say
