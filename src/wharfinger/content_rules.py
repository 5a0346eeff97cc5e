# SPDX-License-Identifier: Apache-2.0
"""What content must fulfil to be taken: put together from the settings, for `bootstrap`."""

import re
from collections.abc import Sequence

from wharfinger.domain.manifests import ManifestRules
from wharfinger.settings import Settings


def manifest_rules(settings: Settings) -> ManifestRules:
    """Return the rules for manifests."""
    wanted = settings.validation.manifests
    off = settings.validation.disabled
    listed = frozenset((one.os, one.architecture) for one in wanted.indexes.platformlist)
    return ManifestRules(
        max_size=wanted.maxsize,
        max_descriptors=wanted.maxdescriptors,
        layers_required=wanted.layers == "required",
        children_required=wanted.indexes.platforms != "none" and not off,
        children_platforms=listed if wanted.indexes.platforms == "list" else None,
        url_allow=_patterns(wanted.urls.allow) if wanted.urls.allow and not off else None,
        url_deny=() if off else _patterns(wanted.urls.deny),
    )


def _patterns(texts: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text) for text in texts)
