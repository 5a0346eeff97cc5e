# SPDX-License-Identifier: Apache-2.0
"""The page that asks whether something is meant which cannot be taken back, or not easily.

It is a page of its own, so that it works without a script; with one, a link with `data-confirm` shows it as a dialog.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wharfinger.console.calls import View
from wharfinger.console.forms import Form
from wharfinger.console.languages import mark

__all__ = ["TYPED", "Asked", "ask", "is_confirmed"]

TYPED = "typed"
"""The field in which the visitor types the name of what goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked.

    Args:
        title: a question, marked for translation; it names what goes.
        texts: what happens, and how it comes back, each marked for translation.
        values: what stands in the places of those texts.
        to: the path of the form's `POST`.
        button: a verb, marked for translation.
        back: the path to go to instead.
        typed: what must be typed; nothing where a click is enough.
        fields: what else the form sends.
        items: names of what goes, where it is several.
        is_wrong: whether something else was typed.
    """

    title: str
    to: str
    back: str
    texts: Sequence[str] = ()
    values: Mapping[str, str | int] = field(default_factory=dict)
    button: str = mark("Delete")
    typed: str | None = None
    fields: Sequence[tuple[str, str]] = ()
    items: Sequence[str] = ()
    is_wrong: bool = False


def ask(asked: Asked) -> View:
    """Return the page; 400 where what was typed is wrong, because then nothing was done."""
    return View(template="confirmation.html", values={"asked": asked}, status=400 if asked.is_wrong else 200)


def is_confirmed(form: Form, typed: str) -> bool:
    """Say whether the form holds what must be typed, with or without blanks around it."""
    return form.text(TYPED) == typed
