"""The user's code is found wherever it is, and what is wrong with it is said in one sentence."""

from __future__ import annotations

import functools
import importlib
import json
import pickle
import sys
from types import SimpleNamespace

import pytest

from batchmill.errors import ConfigError
from batchmill.tasks.loading import load_task

TASK = """
async def on_startup(): return {"a": 1}
async def process_record(record, context): return record
def on_shutdown(context): pass
"""


def record_in_order(record):
    return record


async def coroutine(record, context):
    return record


class Enricher:
    """An object that is called, and one of whose methods is."""

    async def __call__(self, record):
        return record

    def method(self, record, context):
        return record


def refusal(spec, base=None, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        load_task(spec, base, **options)
    return str(caught.value)


# Where the code is found


def test_a_task_file_is_loaded_with_its_hooks(write):
    path = write("task.py", TASK)

    task = load_task("task.py", path.parent)

    assert (task.is_async, task.takes_context, task.is_batch) == (True, True, False)
    assert (task.on_startup.__name__, task.on_shutdown.__name__) == ("on_startup", "on_shutdown")
    assert task.process({"a": 1}, {}).close() is None
    assert (task.spec, task.name) == (str(path), str(path))


def test_a_path_object_will_do(write):
    assert load_task(write("task.py", TASK)).is_async


def test_one_function_of_a_file_has_no_hooks(write):
    path = write("task.py", TASK + "def other(record): return record\n")

    task = load_task(f"{path}:other")

    assert (task.process.__name__, task.on_startup, task.is_async) == ("other", None, False)
    assert task.spec == f"{path}:other"


def test_a_module_is_found_under_the_base(write, tmp_path):
    write("pkg/__init__.py", "")
    write("pkg/mod.py", TASK)

    task = load_task("pkg.mod", tmp_path)

    assert (task.spec, task.on_startup is not None) == ("pkg.mod", True)


def test_a_function_or_an_object_of_a_module_may_be_named(write, tmp_path):
    write("mod.py", "class T:\n  def process_record(self, record): return 5\nobj = T()\nf = len\n")

    assert load_task("mod:obj", tmp_path).process(1) == 5
    assert load_task("mod:obj.process_record", tmp_path).process(1) == 5
    assert load_task("mod:f", tmp_path).process is len


def test_a_module_that_is_at_hand_is_taken(write, tmp_path):
    write("at_hand.py", TASK)
    sys.path.insert(0, str(tmp_path))

    assert load_task(importlib.import_module("at_hand")).spec == "at_hand"


def test_an_object_with_the_functions_of_a_task_module_is_taken():
    holder = SimpleNamespace(process_batch=lambda records: records, on_startup=dict)

    task = load_task(holder)

    assert (task.is_batch, task.on_startup, task.spec) == (True, dict, None)


def test_a_loaded_task_is_itself():
    task = load_task(record_in_order)

    assert load_task(task) is task


@pytest.mark.parametrize(
    ("function", "is_async", "takes_context"),
    [
        (record_in_order, False, False),
        (coroutine, True, True),
        (functools.partial(coroutine, context=1), True, False),
        (functools.partial(coroutine), True, True),
        (Enricher(), True, False),
        (Enricher().method, False, True),
        (functools.wraps(coroutine)(lambda *a: coroutine(*a)), True, True),
        (lambda *args: args, False, True),
        (lambda record, context=None: record, False, True),
        (lambda record, retries=3: record, False, False),
        (lambda record, *, retries=3: record, False, False),
        (json.loads, False, False),
        (len, False, False),
        (str.upper, False, False),
        (max, False, False),
    ],
)
def test_how_a_callable_is_called_is_seen_from_it(function, is_async, takes_context):
    task = load_task(function)

    assert (task.is_async, task.takes_context) == (is_async, takes_context)
    assert task.process is function


def test_a_function_by_itself_takes_lists_when_the_job_has_a_batch_size():
    assert load_task(record_in_order, batch=True).is_batch
    assert not load_task(record_in_order).is_batch


def test_a_function_called_process_batch_takes_lists():
    def process_batch(records):
        return records

    assert load_task(process_batch).is_batch


# What another process can load


def test_what_can_be_found_by_name_says_how():
    assert load_task(json.loads).spec == "json:loads"
    assert load_task(json.JSONDecoder.decode).spec == "json.decoder:JSONDecoder.decode"


@pytest.mark.parametrize(
    "function",
    [lambda record: record, Enricher(), Enricher().method, functools.partial(coroutine)],
)
def test_what_has_no_name_to_be_found_by_says_so(function):
    assert load_task(function).spec is None


def test_a_function_from_a_task_file_is_found_through_the_file(write):
    path = write("task.py", TASK)
    task = load_task(path)

    again = load_task(task.process)

    assert again.spec == f"{path}:process_record"


def test_what_a_task_file_defines_can_be_pickled(write):
    path = write("task.py", "class Point: pass\ndef process_record(record): return Point()\n")

    point = load_task(path).process(1)

    assert type(pickle.loads(pickle.dumps(point))) is type(point)


# Imports


def test_a_task_file_imports_its_siblings(write):
    write("helper.py", "VALUE = 5\n")
    path = write("task.py", "from helper import VALUE\ndef process_record(record): return VALUE\n")

    assert load_task(path).process(1) == 5


def test_two_tasks_with_a_sibling_of_the_same_name_each_get_their_own(write):
    paths = []
    for folder in ("one", "two"):
        write(f"{folder}/helper.py", f"VALUE = '{folder}'\n")
        write(f"{folder}/deep/__init__.py", f"VALUE = '{folder}'\n")
        paths.append(
            write(
                f"{folder}/task.py",
                """
                import helper, deep
                def process_record(record): return helper.VALUE + deep.VALUE
                """,
            )
        )

    answers = [load_task(paths[i]).process(1) for i in (0, 1, 0)]

    assert answers == ["oneone", "twotwo", "oneone"]


def test_two_folders_with_a_package_of_the_same_name_each_get_their_own(write, tmp_path):
    for folder in ("one", "two"):
        write(f"{folder}/plain/mod.py", f"def process_record(record): return '{folder}'\n")

    answers = [load_task("plain.mod", tmp_path / each).process(1) for each in ("one", "two", "one")]

    assert answers == ["one", "two", "one"]


def test_a_task_file_that_was_edited_is_read_anew(write):
    path = write("task.py", "def process_record(record): return 1\n")
    first = load_task(path)
    write("task.py", "def process_record(record): return 2\n")

    assert (first.process(0), load_task(path).process(0)) == (1, 2)


def test_two_task_files_of_the_same_name_are_two_modules(write):
    one = load_task(write("one/task.py", TASK)).process
    two = load_task(write("two/task.py", TASK)).process

    assert one.__globals__ is not two.__globals__
    assert two is sys.modules["task"].process_record


def test_a_task_file_goes_by_its_own_name_where_an_import_would_find_it(write):
    assert "geo" == load_task(write("geo.py", TASK)).process.__module__
    assert "geo-2" == load_task(write("geo-2.py", TASK)).process.__module__


@pytest.mark.parametrize("name", ["random.py", "statistics.py", "msgspec.py", "v1.0.py"])
def test_a_task_file_takes_no_other_module_s_place(write, name):
    before = sys.modules.get(name.removesuffix(".py"))
    module = load_task(write(name, TASK)).process.__module__

    assert module.startswith("_batchmill_")
    assert before is sys.modules.get(name.removesuffix(".py"))


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("\nimport no_such_package", "No module named 'no_such_package'", "pip install no_such_"),
        ("\nimport no_such.deep", "No module named 'no_such'", "or put no_such.py into"),
        ("\nfrom utils import retry_with_backoff", "'utils'", "from batchmill import retry_with"),
        ("\nfrom logging_config import logger", "'logging_config'", "import logging"),
        ("\nfrom json import lods", "cannot import name 'lods'", "did you mean loads?"),
        ("\n1 / 0", "ZeroDivisionError: division by zero", "mend it"),
        ("\ndef process_record(:", "SyntaxError", "mend it"),
        ("\nimport sys; sys.exit('bye')", "SystemExit: bye", "__main__"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_where(write, text, says, remedy):
    path, before = write("task.py", text), set(sys.modules)

    message, _, hint = refusal(path).partition("\nhint: ")

    assert message.startswith(f"{path} cannot be imported: ")
    assert says in message
    assert message.endswith(f"({path}:2)")
    assert remedy in hint
    assert "task" not in set(sys.modules) - before


def test_an_error_in_a_sibling_is_told_where_it_is(write):
    helper = write("helper.py", "def broken():\n    return {}['key']\n\nbroken()\n")
    path = write("task.py", "import helper\n")

    assert f"KeyError: 'key' ({helper}:2)" in refusal(path)


def test_an_error_in_a_library_is_told_where_the_users_file_calls_it(write):
    path = write("task.py", "import json\n\nX = json.loads('{')\n")

    assert f"({path}:3)" in refusal(path)


def test_an_error_in_a_module_is_told_like_one_in_a_file(write, tmp_path):
    path = write("mod.py", "import no_such_package\n")

    message = refusal("mod:f", tmp_path)

    assert "mod cannot be imported: ModuleNotFoundError" in message
    assert f"({path}:1)" in message


# What is no task


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("def proces_record(r): pass", "no process_record but proces_record", "rename proces_"),
        ("def proces_record(r): pass", "", "did you mean process_record?"),
        ("def process_batches(r): pass", "no process_batch but process_batches", "rename"),
        ("def enrich(r): pass", "neither process_record nor process_batch", 'task.py:enrich"'),
        ("x = 1", "neither process_record nor process_batch", "define process_record(record"),
        ("def process_record(r): pass\ndef process_batch(r): pass", "has both", "keep one"),
        ("def process_record(): pass", "has no parameter", "process_record(record, context)"),
        ("def process_record(a, b, c): pass", "3 parameters: a, b, c", "functools.partial"),
        ("def process_record(r, *, c): pass", "wants c by name", "process_record(record"),
        ("def process_record(**k): pass", "has no parameter", "process_record(record, context)"),
        ("def process_record(r): yield r", "is a generator", "return a list"),
        ("async def process_record(r): yield r", "is a generator", "return a list"),
        ("process_record = 5", "is 5 and not a function", "define"),
        ("def process_record(r): pass\ndef on_startp(): pass", "on_startp", "mean on_startup?"),
        ("def process_record(r): pass\ndef on_shutdwn(): pass", "on_shutdwn", "on_shutdown?"),
        ("def process_record(r): pass\ndef on_startup(a, b): pass", "wants a, b", "the context"),
        ("def process_record(r): pass\ndef on_startup(): yield", "generator", "on_shutdown"),
        ("def process_record(r): pass\non_shutdown = 1", "on_shutdown is 1", "define"),
        ("def process_record(r: 'Missing'): pass", "Missing", "top level"),
    ],
)
def test_a_file_that_is_no_task_says_what_is_wrong_and_the_remedy(write, text, says, remedy):
    path = write("task.py", text)

    message, _, hint = refusal(path).partition("\nhint: ")

    assert message.startswith(str(path))
    assert says in message
    assert remedy in hint


@pytest.mark.parametrize(
    ("spec", "says", "remedy"),
    [
        (5, "task = 5 is no task", "give a function"),
        (None, "task = None is no task", "give a function"),
        (Enricher, "task = Enricher is a class", "give Enricher()"),
        ("tusk.py", "tusk.py does not exist", "did you mean task.py?"),
        ("no/task.py", "task.py does not exist", "give the path"),
        ("task", "task cannot be imported", "mend it"),
        ("no_such_tasks", "there is no module 'no_such_tasks'", '"task.py"'),
        ("no_such.module", "there is no module 'no_such.module'", '"task.py"'),
        ("json.no_such", "there is no module 'json.no_such'", '"task.py"'),
        ("json:lods", "json has no lods", "did you mean loads?"),
        ("json:zzzzzz", "json has no zzzzzz", "it has"),
        ("json:JSONDecoder", "is a class", "name a function"),
        ("json:", "'' is not the name of a function", "package.module:function"),
        ("what is this", "neither a Python file nor", '"task.py"'),
        ("", "neither a Python file nor", '"task.py"'),
    ],
)
def test_a_spelling_that_leads_nowhere_says_what_is_meant(write, tmp_path, spec, says, remedy):
    write("task.py", "1 / 0")

    message, _, hint = refusal(spec, tmp_path).partition("\nhint: ")

    assert says in message
    assert remedy in hint


def test_a_batch_size_without_process_batch_is_refused(write):
    path = write("task.py", TASK)

    message = refusal(path, batch=True)

    assert "run.batch_size is set" in message
    assert "define process_batch(records, context)" in message


# JsonlBatch


def test_a_jsonlbatch_task_runs_with_its_import_changed(write):
    path = write(
        "task.py",
        """
        from typing import Any, Dict
        from batchmill import retry_with_backoff

        async def on_startup() -> Dict[str, Any]:
            return {}

        async def on_shutdown(context: Dict[str, Any]):
            pass

        @retry_with_backoff(retries=3, initial_delay=2)
        async def process_record(
            record: Dict[str, Any], context: Dict[str, Any]
        ) -> Dict[str, Any] | None:
            return record
        """,
    )

    task = load_task(path)

    assert (task.is_async, task.takes_context, task.record_type) == (True, True, None)
