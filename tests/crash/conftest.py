"""A laboratory for each test, in memory: what survives a kill does not depend on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None)
    try:
        with Lab(Path(folder)) as it:
            yield it
    finally:
        shutil.rmtree(folder, ignore_errors=True)
