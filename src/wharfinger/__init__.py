# SPDX-License-Identifier: Apache-2.0
"""Wharfinger, a self-hosted container registry that speaks the OCI distribution protocol."""

__version__ = "0.1.0"
