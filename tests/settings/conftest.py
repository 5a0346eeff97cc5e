# SPDX-License-Identifier: Apache-2.0
"""How the tests of the settings write a file, load it, and look at what is refused."""

import textwrap

import pytest

from wharfinger.settings import SettingsError, load


class Desk:
    """An operator with one file and an environment."""

    def __init__(self, folder):
        self.path = folder / "config.yml"

    def load(self, text=None, environ=None):
        if text is None:
            return load(None, environ or {})
        self.path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load(self.path, environ or {})

    def settings(self, text=None, environ=None):
        return self.load(text, environ).settings

    def refusals(self, text=None, environ=None):
        """Return the lines that an operator sees, with the file's folder left out."""
        with pytest.raises(SettingsError) as caught:
            self.load(text, environ)
        assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
        return str(caught.value).replace(str(self.path), "config.yml").splitlines()

    def notes(self, text=None, environ=None):
        return [note.replace(str(self.path), "config.yml") for note in self.load(text, environ).notes]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)
