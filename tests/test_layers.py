"""Imports point down only; what is optional is imported in one place; no file grows too long.

    doors    __init__, __main__, api, launch, signals, wiring, config/, cli/, testing
    ready    batchers/
    flow     flow/
    edges    sources/, sinks/, engines/, observers/, ledger/, files/, formats/, tasks/
    core     core/
    words    errors, records, options, events, protocols, slots, job, report, calling, …

Core imports words only; edges import edges, core and words; flow imports core and words and never
an edge; ready batchers stand on flow; doors import anything. Imports in functions and under
TYPE_CHECKING count like others.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import batchmill

ROOT = Path(batchmill.__file__).parent

LAYERS = {
    "words": [
        "errors",
        "records",
        "options",
        "events",
        "protocols",
        "slots",
        "job",
        "report",
        "calling",
        "paths",
        "version",
    ],
    "core": ["core"],
    "edges": ["sources", "sinks", "engines", "observers", "ledger", "files", "formats", "tasks"],
    "flow": ["flow"],
    "ready": ["batchers"],
    "doors": [
        "__init__",
        "__main__",
        "api",
        "mapping",
        "launch",
        "signals",
        "wiring",
        "config",
        "cli",
        "testing",
    ],
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}
MAY_IMPORT = {
    "words": {"words"},
    "core": {"words", "core"},
    "edges": {"words", "core", "edges"},
    "flow": {"words", "core", "flow"},
    "ready": {"words", "core", "flow", "ready"},
    "doors": {"words", "core", "edges", "flow", "ready", "doors"},
}

PURE = {"asyncio", "concurrent", "random", "select", "selectors", "signal", "socket", "sqlite3",
        "subprocess", "tempfile", "threading", "time", "multiprocessing"}  # fmt: skip
"""What core must do without: no loop, no clock, no file, no chance of its own."""

HOMES = {
    "aiohttp": {"tasks/session.py", "batchers/embeddings.py"},
    "zstandard": {"files/zstd.py"},
    "pydantic": {"tasks/pydantic_models.py"},
    "rich": {"observers", "cli"},
    "click": {"cli"},
    "uvloop": set(),
    "prometheus_client": {"observers"},
    "sqlalchemy": {"batchers"},
    "pandas": {"tasks/pandas_frames.py"},
    "pyarrow": {"tasks/arrow_frames.py"},
    "polars": {"tasks/polars_frames.py"},
    "cloudpickle": {"engines", "wiring"},
    "orjson": {"formats", "ledger", "observers", "cli", "batchers"},
    "msgspec": {"core/job_state.py", "formats", "tasks", "ledger", "cli", "engines"},
}
"""Packages that are not Python's own, and the modules or folders that may import them."""
OPTIONAL = {"aiohttp", "zstandard", "pydantic", "uvloop", "prometheus_client", "sqlalchemy",
            "pandas", "pyarrow", "polars"}  # fmt: skip

MAX_FUNCTION_LINES = 60
MAX_MODULE_LINES = 300


class Import(NamedTuple):
    """An import statement: of which module, on which line, and whether in a function."""

    module: str
    line: int
    lazy: bool


PATHS = sorted(ROOT.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PATHS}
TREES = {path: ast.parse(path.read_text()) for path in PATHS}


def imports_of(path):
    """Every import in the file, by absolute name; a module is named as one."""
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    lazy = {
        id(inner)
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, node.lineno, id(node) in lazy)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            for name in node.names:
                full = f"{source}.{name.name}"
                yield Import(full if full in MODULES else source, node.lineno, id(node) in lazy)


def layer_of(module):
    parts = module.split(".")
    return LAYER_OF.get(parts[1] if len(parts) > 1 else "__init__")


def place(path, line):
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_module_has_its_layer():
    assert [name for name in MODULES if layer_of(name) is None] == []


def test_imports_point_down_only():
    wrong = [
        f"{place(path, each.line)}: {layer_of(name)} imports {layer_of(each.module)} {each.module}"
        for name, path in MODULES.items()
        for each in imports_of(path)
        if each.module.split(".")[0] == "batchmill"
        and layer_of(each.module) not in MAY_IMPORT.get(layer_of(name), ())
    ]

    assert wrong == []


def test_no_module_imports_itself_by_way_of_others():
    graph = {
        name: {each.module for each in imports_of(path) if each.module in MODULES} - {name}
        for name, path in MODULES.items()
        if name != "batchmill"
    }

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_core_has_no_loop_no_clock_no_file_and_no_chance_of_its_own():
    wrong = [
        f"{place(path, each.line)} imports {each.module}"
        for path in (ROOT / "core").glob("*.py")
        for each in imports_of(path)
        if each.module.split(".")[0] in PURE
    ]
    calls = [
        place(path, node.lineno)
        for path in (ROOT / "core").glob("*.py")
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in ("open", "print", "input")
    ]

    assert wrong + calls == []


def test_packages_that_are_not_pythons_own_are_imported_where_they_are_at_home():
    wrong = [
        f"{place(path, each.line)} imports {each.module}"
        for path in PATHS
        for each in imports_of(path)
        if (homes := HOMES.get(each.module.split(".")[0])) is not None
        and homes.isdisjoint({path.relative_to(ROOT).as_posix(), path.relative_to(ROOT).parts[0]})
    ]

    assert wrong == []


def test_optional_packages_are_imported_at_the_top_of_their_module():
    wrong = [
        f"{place(path, each.line)} imports {each.module}"
        for path in PATHS
        for each in imports_of(path)
        if each.module.split(".")[0] in OPTIONAL and each.lazy
    ]

    assert wrong == []


def test_modules_that_need_an_optional_package_are_imported_only_when_asked_for():
    needy = {
        module_of(path)
        for path in PATHS
        for each in imports_of(path)
        if each.module.split(".")[0] in OPTIONAL
    }
    wrong = [
        f"{place(path, each.line)} imports {each.module}"
        for path in PATHS
        for each in imports_of(path)
        if each.module in needy and not each.lazy and module_of(path) not in needy
    ]

    assert wrong == []


def test_functions_are_short():
    long = [
        f"{place(path, node.lineno)} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert long == []


def test_modules_are_short():
    lengths = {path: len(path.read_text().splitlines()) for path in PATHS}

    assert [place(path, n) for path, n in lengths.items() if n > MAX_MODULE_LINES] == []


def test_every_module_says_what_it_is_for():
    silent = [
        str(path.relative_to(ROOT))
        for path, tree in TREES.items()
        if tree.body and not ast.get_docstring(tree)
    ]

    assert silent == []
