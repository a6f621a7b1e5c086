"""How many cores may this process use?"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Cores that the scheduler's affinity and the container's quota leave, at least one.

    A quota of 1.5 cores counts as two: a third process would only wait for the other two.
    """
    quota = _quota(cgroup)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, math.ceil(quota)) if quota else cores or 1)


def _quota(cgroup: Path) -> float | None:
    """Cores by `cpu.max` (cgroup v2) or `cpu.cfs_quota_us` (v1); None for no limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None
