"""A folder of the user's, and an import path that is left as it was."""

from __future__ import annotations

import sys
import textwrap

import pytest


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
def write(tmp_path):
    """Write a file of the user's and give back its path."""

    def write_file(name: str, text: str):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write_file
