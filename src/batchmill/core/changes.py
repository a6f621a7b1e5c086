"""What was changed between two runs, and may the job go on?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The settings that matter and differ, each as "key: was 'id', is 'ip'"."""
    return [
        f"{name}: was {before[name]!r}, is {now.get(name)!r}"
        for name in before
        if before[name] != now.get(name)
    ]
