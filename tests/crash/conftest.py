# SPDX-License-Identifier: Apache-2.0
"""What happens to a registry and its machine, and what is found afterwards."""

from tests.metadata.conftest import templates

__all__ = ["templates"]
