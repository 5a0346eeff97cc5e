# SPDX-License-Identifier: Apache-2.0
"""Rules that a repository's admins set: each is a pure function from facts to a verdict that names its rule."""
