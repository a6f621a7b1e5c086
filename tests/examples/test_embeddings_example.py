"""The example: docstrings become vectors, in batches."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import environment, start

EXAMPLE = Path(__file__).parents[2] / "examples" / "embeddings"
TEXTS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example after its job has run."""
    folder = tmp_path_factory.mktemp("embeddings")
    for name in ("job.toml", "make_input.py", "nearest.py", "task.py"):
        shutil.copy(EXAMPLE / name, folder)
    python(folder, "make_input.py", "--limit", TEXTS)
    assert run(folder) == 0
    return folder


def run(folder, *words):
    process = start(
        "run", folder / "job.toml", "--progress", "none", *words, stdout=subprocess.DEVNULL
    )
    return process.wait(timeout=60)


def python(folder, *words):
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True, text=True
    )
    return done.stdout


def rows(path):
    return {row["name"]: row for row in map(json.loads, path.read_text().splitlines())}


def test_every_text_has_a_vector_of_length_one(folder):
    texts, vectors = rows(folder / "texts.jsonl"), rows(folder / "vectors.jsonl")

    assert len(vectors) == TEXTS
    assert {name: row["text"] for name, row in vectors.items()} == {
        name: row["text"] for name, row in texts.items()
    }
    assert {len(row["vector"]) for row in vectors.values()} == {256}
    assert all(math.hypot(*row["vector"]) == pytest.approx(1, abs=1e-4) for row in vectors.values())


def test_a_text_is_nearest_to_itself(folder):
    name = "argparse.ArgumentParser"
    text = rows(folder / "texts.jsonl")[name]["text"]

    first, second, *_ = python(folder, "nearest.py", text).splitlines()

    assert first.startswith(f"1.000  {name}: ")
    assert float(second.split()[0]) < 1


def test_workers_that_load_the_model_for_themselves_give_the_same(folder):
    output = folder / "again.jsonl"

    assert run(folder, "--engine", "process", "--output", output) == 0

    once, again = rows(folder / "vectors.jsonl"), rows(output)
    assert once.keys() == again.keys()
    assert all(
        again[name]["vector"] == pytest.approx(row["vector"], abs=1e-5)
        for name, row in once.items()
    )
