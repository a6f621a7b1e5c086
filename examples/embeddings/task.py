"""Texts become vectors, a batch at a time.

The model is WordLlama's, of 256 dimensions, which comes with the package: nothing is downloaded.
"""

from pathlib import Path
from typing import Any

import wordllama
from wordllama import WordLlama

Text = dict[str, Any]


def on_startup() -> dict[str, Any]:
    """Runs once, or once in every worker: a model is loaded here and not in the calls."""
    folder = Path(wordllama.__file__).parent
    return {"model": WordLlama.load(cache_dir=folder, disable_download=True)}


def process_batch(records: list[Text], context: dict[str, Any]) -> list[Text]:
    vectors = context["model"].embed([record["text"] for record in records], norm=True)
    return [
        record | {"vector": vector.tolist()}
        for record, vector in zip(records, vectors, strict=True)
    ]
