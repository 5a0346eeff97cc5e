# SPDX-License-Identifier: Apache-2.0
"""Roles, and how one reaches what somebody asks for."""

import enum
from typing import Final, NamedTuple

from wharfinger.domain.sentences import Sentence


class Role(enum.IntEnum):
    """What a grant gives; each includes those before it."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


class Right(NamedTuple):
    """A role that reaches what is asked for, and the rule by which it does."""

    role: Role
    rule: Sentence


WORDS: Final = {Role.READ: "read", Role.WRITE: "write", Role.ADMIN: "admin"}
"""How roles are written; on a registry and on the deployment two of them have names of their own."""
