# SPDX-License-Identifier: Apache-2.0
"""The certified OpenID provider of npm, running on this machine with the people of a test.

`tools/prepare` installs it by the lock file in `tests/support/openid`.
"""

import json
import os
import subprocess
from pathlib import Path

import httpx

from tests.support.commands import free_port

HOME = Path(__file__).parent / "openid"
SECRET = "canary-client-secret-of-the-tests"


class OpenIdProvider:
    """A running provider.

    Args:
        folder: where the file with the people lies.
        redirects: where clients may be sent back to.
        userinfo: whether it tells names and groups at its userinfo endpoint only, not in ID tokens.
    """

    def __init__(self, folder, *redirects, userinfo=False):
        self.port = free_port()
        self.issuer = f"http://localhost:{self.port}"
        self._people = folder / "people.json"
        self.say()
        self._process = subprocess.Popen(
            ["node", str(HOME / "provider.mjs"), str(self.port), str(self._people), *redirects],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={"PATH": os.environ["PATH"], "CLAIMS": "userinfo" if userinfo else "token"},
        )
        assert "ready" in self._process.stdout.readline()

    def say(self, **people):
        """Have these people sign in by their names, with their claims."""
        known = {
            name: {"sub": f"sub-of-{name}", "preferred_username": name} | claims for name, claims in people.items()
        }
        self._people.write_text(json.dumps(known))

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def answer(self, url, name):
        """Sign in there as a browser does that was sent to a URL; return the URL to which it is sent back."""
        with httpx.Client(base_url=self.issuer, trust_env=False) as browser:
            answer = browser.get(url)
            while answer.is_redirect and answer.headers["Location"].startswith(("/", self.issuer)):
                answer = browser.get(answer.headers["Location"])
            if not answer.is_redirect:
                answer = browser.post(answer.url.path, data={"name": name})
                while answer.headers["Location"].startswith(("/", self.issuer)):
                    answer = browser.get(answer.headers["Location"])
            return answer.headers["Location"]

    def settings(self, name="corp", number=0, **more):
        """Return the variables that make it a provider of a registry."""
        listed = {
            "name": name,
            "displayname": name.capitalize(),
            "issuer": self.issuer,
            "clientid": "wharfinger",
            "clientsecret": SECRET,
            "scopes": ["openid", "profile", "email", "groups"],
            "create": True,
        } | more
        variables = {"OUTBOUND_ALLOW_0": "localhost"}
        for key, value in listed.items():
            place = f"ACCOUNTS_OIDC_{number}_{key.upper()}"
            if isinstance(value, list):
                variables |= {f"{place}_{index}": item for index, item in enumerate(value)}
            elif value is not None:
                variables[place] = str(value).lower() if isinstance(value, bool) else value
        return variables
