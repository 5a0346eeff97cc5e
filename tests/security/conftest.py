# SPDX-License-Identifier: Apache-2.0
"""How much Hypothesis tries here, and where it remembers what failed (never in the tree)."""

import os
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
set_hypothesis_home_dir(_cache / "wharfinger" / "hypothesis")
settings.register_profile("wharfinger", deadline=timedelta(seconds=20), print_blob=True)
settings.load_profile("wharfinger")
