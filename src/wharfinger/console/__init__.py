# SPDX-License-Identifier: Apache-2.0
"""Door 3: pages for people, rendered on the server, under `/`."""
