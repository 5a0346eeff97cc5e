# SPDX-License-Identifier: Apache-2.0
"""Password files such as `htpasswd -B` makes, and the settings that name them."""

import bcrypt

CHEAP = 4
"""The least cost that bcrypt knows: tests need no slow hashes."""


def write_users(path, **passwords):
    """Put a file with these users in the place of the one before, in one step."""
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{name}:{hashed(secret)}\n" for name, secret in passwords.items()))
    new.replace(path)
    return path


def hashed(secret):
    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(CHEAP)).decode()


def sign_in_by(path, realm="Team registry"):
    """The variables with which a registry takes its users from a file."""
    return {
        "REGISTRY_AUTH": "htpasswd",
        "REGISTRY_AUTH_HTPASSWD_REALM": realm,
        "REGISTRY_AUTH_HTPASSWD_PATH": str(path),
    }
