# SPDX-License-Identifier: Apache-2.0
"""What somebody pushed is shown with every character in sight."""

import pytest

from wharfinger.domain.legibility import legible, legible_lines, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("no\u00a0break", "no\u00a0break"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("invoice\u202egnp.exe", "invoice\\u202egnp.exe"),
        ("a\u2066b\u2069\u200b", "a\\u2066b\\u2069\\u200b"),
        ("\U000e0041", "\\U000e0041"),
        ("a\nb\tc\x00", "a\\u000ab\\u0009c\\u0000"),
    ],
)
def test_what_nobody_sees_is_written_out(text, shown):
    assert legible(text) == shown


def test_lines_stay_lines():
    assert legible_lines("a\r\nb\tc\n\x07") == "a\nb\tc\n\\u0007"


def test_a_long_text_is_cut_where_it_is_said():
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
