"""A laboratory for each test, in memory: what survives a kill does not depend on the disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Lab
from oracle import MEMORY


@pytest.fixture
def lab() -> Iterator[Lab]:
    folder = tempfile.mkdtemp(dir=MEMORY)
    try:
        with Lab(Path(folder)) as it:
            yield it
    finally:
        shutil.rmtree(folder, ignore_errors=True)
