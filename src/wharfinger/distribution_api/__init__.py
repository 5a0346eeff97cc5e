# SPDX-License-Identifier: Apache-2.0
"""Door 1: the OCI distribution protocol under `/v2/`. One file for each noun; `routes.py` lists every endpoint."""
