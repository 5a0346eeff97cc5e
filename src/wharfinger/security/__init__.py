# SPDX-License-Identifier: Apache-2.0
"""Passwords, tokens, keys and certificates: the only room that knows cryptography. Synchronous; slow calls say so."""
