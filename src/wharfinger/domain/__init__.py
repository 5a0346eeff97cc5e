# SPDX-License-Identifier: Apache-2.0
"""What a registry is, as values and pure functions: standard library only, no I/O, no `async`."""
