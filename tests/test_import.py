"""Importing batchmill is cheap, and gives what it promises."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import batchmill

HEAVY = {
    "aiohttp", "asyncio", "click", "concurrent.futures", "email", "http", "httpx", "hypothesis",
    "logging", "msgspec", "multiprocessing", "numpy", "orjson", "pandas", "prometheus_client",
    "pydantic", "pytest", "requests", "rich", "socket", "sqlalchemy", "sqlite3", "ssl", "urllib",
    "uvloop", "yaml", "zstandard",
}  # fmt: skip
OF_A_RUN = HEAVY - {"asyncio", "concurrent.futures", "email", "logging", "msgspec", "orjson",
                    "socket", "sqlite3", "ssl", "urllib", "http"}  # fmt: skip
"""What a run without any extras has no use for."""


def loaded_by(code):
    """The modules that a fresh interpreter has loaded after this code."""
    script = f"import sys, json\n{code}\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_it_imports_hardly_anything():
    assert loaded_by("import batchmill") & HEAVY == set()


def test_a_job_is_written_without_anything_heavy():
    assert loaded_by("from batchmill import Job, Retry; Job(source='a', task='b')") & HEAVY == set()


def test_a_run_imports_only_what_it_uses():
    loaded = loaded_by("from batchmill import Job, run; run(Job(source=[1], task=lambda n: n))")

    assert loaded & OF_A_RUN == set()


@pytest.mark.parametrize("name", batchmill.__all__)
def test_every_public_name_is_there(name):
    assert getattr(batchmill, name) is not None
    assert name in dir(batchmill)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_like_it"):
        batchmill.nothing_like_it  # noqa: B018


@pytest.mark.parametrize("name", ["current", "run", "batched"])
def test_a_public_name_is_the_thing_after_a_run_too(name):
    loaded_by(
        "from batchmill import Job, run\n"
        "run(Job(source=[1], task=lambda n: n))\n"
        f"from batchmill import {name}\n"
        f"assert callable({name}), {name}"
    )


def test_the_names_for_type_checkers_are_those_that_are_imported():
    for name, home in batchmill._HOMES.items():
        module = importlib.import_module(f"batchmill.{home}")
        assert getattr(batchmill, name) is getattr(module, name)


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert batchmill.__version__ == version("batchmill")
