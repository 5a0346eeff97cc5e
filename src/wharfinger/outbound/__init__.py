# SPDX-License-Identifier: Apache-2.0
"""Every connection that this registry opens to somebody else."""
