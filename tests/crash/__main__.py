# SPDX-License-Identifier: Apache-2.0
"""`make crash`: kill a registry for as long as you like, and see whether it loses anything."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.crash.leftovers import leftovers
from tests.crash.loop import Loop


def main():
    """Run the loop as the options say; the status is 1 if anything was lost or left."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-crash-"))
    print(f"seed {options.seed}, {options.database}, {options.minutes:g} minutes; data and log in {folder}")
    loop = Loop(folder, options.seed, options.database)
    try:
        loop.run(options.minutes * 60)
        left = asyncio.run(leftovers(loop.server.data, loop.url))
        for complaint in left:
            print(f"      {complaint}")
    finally:
        loop.close()
    if loop.complaints or left:
        print(f"Not sound. The same choices again: python -m tests.crash --seed {options.seed}")
        sys.exit(1)
    shutil.rmtree(folder)
    print("Nothing was lost, and nothing was left behind.")


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of all choices; random if not given")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    return parser.parse_args()


if __name__ == "__main__":
    main()
