"""Which texts are there on every machine? What Python's standard library says of itself.

A line for every public module, class and function of it: its name, and the first paragraph of its
docstring. The modules are read and not imported.

    python make_input.py [--limit N]
"""

import argparse
import ast
import json
import sys
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("texts.jsonl"))
    options = parser.parse_args()
    texts = {name: text for name, node in library() for text in first_paragraph(node)}
    with open(options.output, "w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"name": name, "text": text}) + "\n"
            for name, text in islice(texts.items(), options.limit)
        )


def library() -> Iterator[tuple[str, Documented]]:
    folder = Path(sysconfig.get_path("stdlib"))
    for module in sorted(sys.stdlib_module_names):
        for path in (folder / f"{module}.py", folder / module / "__init__.py"):
            if path.exists() and not module.startswith("_"):
                yield from documented(module, ast.parse(path.read_bytes()))


def documented(name: str, node: Documented) -> Iterator[tuple[str, Documented]]:
    """It, and what is public in it, but not what is inside of functions."""
    yield name, node
    for child in node.body if isinstance(node, ast.Module | ast.ClassDef) else []:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield from documented(f"{name}.{child.name}", child)


def first_paragraph(node: Documented) -> list[str]:
    """One text, or none."""
    text, _, _ = (ast.get_docstring(node) or "").partition("\n\n")
    return [" ".join(text.split())] if text.strip() else []


if __name__ == "__main__":
    main()
