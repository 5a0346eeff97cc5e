# SPDX-License-Identifier: Apache-2.0
"""Settings: one frozen tree out of defaults, a `config.yml` in distribution's format, and `REGISTRY_*`.

Only the composition root and the command line import this floor; everybody else is given plain values.
"""

from wharfinger.settings.environment import environment, path_from
from wharfinger.settings.exposure import Exposure, SignIn, open_beyond_loopback, reaches_others, where_to_sign_in
from wharfinger.settings.load import Loaded, Row, describe, load, shown
from wharfinger.settings.problems import Mark, Problem, SettingsError
from wharfinger.settings.tree import FileCheck, HttpCheck, Platform, Settings, TcpCheck, TokenServer
from wharfinger.settings.values import Address, Proxy, Secret, parse_address

__all__ = [
    "Address",
    "Exposure",
    "FileCheck",
    "HttpCheck",
    "Loaded",
    "Mark",
    "Platform",
    "Problem",
    "Proxy",
    "Row",
    "Secret",
    "Settings",
    "SettingsError",
    "SignIn",
    "TcpCheck",
    "TokenServer",
    "describe",
    "environment",
    "load",
    "open_beyond_loopback",
    "parse_address",
    "path_from",
    "reaches_others",
    "shown",
    "where_to_sign_in",
]
