"""Numbers and durations read well, and foreign text does no harm."""

from __future__ import annotations

import pytest

from batchmill.observers.text import per_second, percent, printable, shortened, span


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Ünïcode, 漢字", "plain, Ünïcode, 漢字"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("a\x9bb\u2028c\u202ed", r"a\x9bb\u2028c\u202ed"),
        ("lone \ud800", r"lone \ud800"),
    ],
)
def test_nothing_in_foreign_text_can_steer_a_terminal_or_begin_a_line(text, shown):
    assert shown == printable(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.0000063, "6.3 µs"),
        (0.0123, "12.3 ms"),
        (0.9999, "1.0 s"),
        (12.34, "12.3 s"),
        (7, "7 s"),
        (59.97, "1:00 min"),
        (245.0, "4:05 min"),
        (11045.0, "3:04:05 h"),
        (200_000.0, "2 d 7 h"),
    ],
)
def test_a_duration_is_shown_in_the_units_it_is_thought_of(seconds, shown):
    assert shown == span(seconds)


@pytest.mark.parametrize(
    ("rate", "shown"), [(0.0, "0.0/s"), (0.0213, "0.021/s"), (3.44, "3.4/s"), (12345.6, "12,346/s")]
)
def test_a_rate_has_as_many_digits_as_it_takes_to_see_it(rate, shown):
    assert shown == per_second(rate)


def test_only_all_of_it_is_a_hundred_percent():
    assert ["0%", "99%", "100%", "100%"] == [percent(f) for f in (0.0, 0.9999, 1.0, 1.2)]


def test_long_text_is_cut_visibly():
    assert ("short", "lon…") == (shortened("short", 5), shortened("longer", 4))
