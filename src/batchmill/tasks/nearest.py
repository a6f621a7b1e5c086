"""Which name was meant?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SIMILARITY = 0.6
"""How alike two names are (difflib's ratio, from 0 to 1) before one is offered for the other."""


def nearest(name: str, known: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """The known name most like `name`, or None if none is alike. Case makes no difference."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower, 1, similarity)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'did you mean "output"?', or the whole list where nothing is alike."""
    names = sorted(known)
    close = nearest(name, names)
    return f'did you mean "{close}"?' if close else "known are: " + ", ".join(names)
