"""How can a bulk call do what single calls, one after the other, would have done?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping


def waves(names: Mapping[int, Hashable]) -> list[list[int]]:
    """The places in as few groups as there can be, so that no name is twice in a group.

    Equal names keep their order: calling group after group is calling them one after the other.
    """
    seen: Counter[Hashable] = Counter()
    groups: list[list[int]] = []
    for place, name in names.items():
        nth = seen[name]
        seen[name] += 1
        if nth == len(groups):
            groups.append([])
        groups[nth].append(place)
    return groups
