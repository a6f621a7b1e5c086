"""How are numbers, times and text from elsewhere shown to people?"""

from __future__ import annotations

import math
import re

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line ends, marks that turn the direction of text, lone surrogates."""


def printable(text: str) -> str:
    """The text on one line, with everything that could steer a terminal or forge a line escaped."""
    return _UNSAFE.sub(_escaped, text)


def printable_lines(text: str) -> list[str]:
    """As `printable`, line by line."""
    return [printable(line) for line in text.splitlines()]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def shortened(text: str, most: int) -> str:
    """At most `most` characters, the last of them "…" if some are left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def span(seconds: float) -> str:
    """A duration as one thinks of it: "6.3 µs", "850 ms", "12.3 s", "4:05 min", "3:04:05 h"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs" if seconds else "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s" if isinstance(seconds, float) else f"{seconds} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def per_second(rate: float) -> str:
    """A rate, with as many digits as it takes to see it: "12,345/s", "3.4/s", "0.02/s"."""
    if rate >= 100:
        return f"{rate:,.0f}/s"
    return f"{rate:.1f}/s" if rate >= 1 or not rate else f"{rate:.2g}/s"


def percent(fraction: float) -> str:
    """A share, rounded down, so that only all of it is 100 %."""
    return f"{math.floor(min(1.0, fraction) * 100)}%"
