"""The reference is what the docstrings say."""

import importlib.util
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[2] / "docs"


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    made = _maker().pages()
    written = {path.name: path.read_text() for path in (DOCS / "reference").glob("*.md")}

    assert sorted(written) == sorted(made)
    stale = [name for name in made if written[name] != made[name]]
    assert not stale, f"run: python docs/make_reference.py (stale: {', '.join(stale)})"


def test_every_public_name_is_in_the_reference() -> None:
    import batchmill

    index = (DOCS / "reference" / "index.md").read_text()

    missing = [name for name in batchmill.__all__ if f"`{name}`" not in index]
    assert missing == ["__version__"]
