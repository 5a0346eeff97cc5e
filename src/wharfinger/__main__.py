# SPDX-License-Identifier: Apache-2.0
"""Where the command `wharfinger` and `python -m wharfinger` begin.

Light on purpose: every process that the server starts loads this module again, and none of them needs a command line.
"""


def main() -> None:
    """Run the command line."""
    from wharfinger.loading import loading  # noqa: PLC0415 - see above

    with loading():
        from wharfinger.cli import app  # noqa: PLC0415 - see above

    app()


if __name__ == "__main__":
    main()
