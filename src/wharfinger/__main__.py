# SPDX-License-Identifier: Apache-2.0
"""`python -m wharfinger` is the command `wharfinger`."""

from wharfinger.cli import main

main()
