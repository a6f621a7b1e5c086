"""What a user is told who lacks a package."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKED = """
import sys
sys.modules[{package!r}] = None
from batchmill.errors import MissingDependency
try:
    import batchmill.batchers.{module}
except MissingDependency as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("sqlalchemy", "sqlalchemy", "sqlalchemy"),
        ("predict", "numpy", "sklearn"),
        ("dynamodb", "boto3", "aws"),
        ("sqs", "boto3", "aws"),
        ("embeddings", "aiohttp", "http"),
    ],
)
def test_a_missing_package_is_one_sentence_and_the_line_that_installs_it(module, package, extra):
    code = ASKED.format(module=module, package=package)

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.endswith(f'hint: pip install "batchmill[{extra}]"\n')
    assert " needs " in told.stdout


def test_no_ready_batcher_is_imported_with_the_library():
    code = "import batchmill, batchmill.batchers, sys; print(*sys.modules, sep='\\n')"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"sqlalchemy", "numpy", "boto3", "aiohttp"}
    assert heavy.isdisjoint(told.stdout.splitlines())
