"""A folder with the files of a small job, and the sentence that a mistake earns."""

from __future__ import annotations

import sys

import pytest

from batchmill.config.target import load_target
from batchmill.errors import ConfigError

TASK = "async def process_record(record):\n    return record\n"


@pytest.fixture(autouse=True)
def _import_path_as_it_was():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        module = sys.modules[name]
        if "pytest-of-" in f"{getattr(module, '__file__', '')}{getattr(module, '__path__', '')}":
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory elsewhere, and a job's folder that is returned."""
    home = tmp_path / "project"
    home.mkdir()
    (home / "task.py").write_text(TASK)
    (home / "in.jsonl").write_text('{"ip": "1.1.1.1"}\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return home


@pytest.fixture
def refused(folder):
    """Load a target that must be refused, and give back the message with its hint."""

    def refuse(target, **overrides) -> str:
        before = sorted(folder.rglob("*"))
        with pytest.raises(ConfigError) as caught:
            load_target(str(target), overrides)
        assert [p for p in sorted(folder.rglob("*")) if "__pycache__" not in str(p)] == before
        assert caught.value.exit_code == 2
        return str(caught.value)

    return refuse
