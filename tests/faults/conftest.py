"""A little job for each test, and the laboratory of the crash tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.conftest import lab
from faults.little import Little

__all__ = ["lab", "little"]


@pytest.fixture
def little(tmp_path: Path) -> Little:
    return Little(tmp_path)
