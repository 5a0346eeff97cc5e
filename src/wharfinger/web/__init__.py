# SPDX-License-Identifier: Apache-2.0
"""What the HTTP doors share: the edge that every request passes, routing with declared access, bodies, probes."""
