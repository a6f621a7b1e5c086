"""A task may do to the standard streams what it likes: exit code and report stay what they are."""

from __future__ import annotations

import json

import pytest

from small_jobs import write

TASK = """\
import codecs, io, os, sys

class Tee:
    def __init__(self, *files):
        self.files = files

    def write(self, text):
        for file in self.files:
            file.write(text)

    def flush(self):
        for file in self.files:
            file.flush()

class Broken(Tee):
    def flush(self):
        raise RuntimeError("this cannot be flushed")

{early}

def process_record(record):
    {late}
    return record
"""

EARLY = {
    "wrapped": 'sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")',
    "detached": 'sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())',
    "replaced": 'sys.stdout = Tee(sys.stdout, open("tee.log", "a"))',
    "broken": "sys.stdout = sys.stderr = Broken(sys.stdout)",
    "none": "sys.stdout = sys.stderr = sys.stdin = None",
}
LATE = {
    "closed": "sys.stdout.close()",
    "all closed": "sys.stdout.close(); sys.stderr.close(); sys.stdin.close()",
    "numbers closed": "os.closerange(0, 3)",
    "wrapped late": "sys.stdout = io.TextIOWrapper(sys.stdout.buffer)",
}


@pytest.fixture
def ended(project, batchmill_process, request):
    """A run of three records whose task does this to the streams."""
    kind, words = request.param
    early, late = EARLY.get(kind, ""), LATE.get(kind, "print('seen')")
    (project / "task.py").write_text(TASK.format(early=early, late=late))
    write(project, *({"id": n} for n in range(3)))
    return batchmill_process("run", "job.toml", "--engine", "async", *words)


ALL = [*EARLY, *LATE]


@pytest.mark.parametrize("ended", [(kind, ()) for kind in ALL], ids=ALL, indirect=True)
def test_the_report_is_shown_and_the_code_is_that_of_the_run(ended, project):
    expected = 3 if (project / "out.errors.jsonl").read_text() else 0

    assert expected == ended.code
    assert "small: completed after" in ended.out
    assert "  read          3" in ended.out.splitlines()
    assert "run 1 of small begins" in ended.err
    assert "exit code" in ended.err


@pytest.mark.parametrize("ended", [(kind, ("--json",)) for kind in ALL], ids=ALL, indirect=True)
def test_standard_output_holds_the_report_as_json_and_nothing_else(ended):
    report = json.loads(ended.out)

    assert 3 == report["read"]
    assert report["exit_code"] == ended.code


@pytest.mark.parametrize("ended", [("", ())], indirect=True)
def test_what_a_task_has_printed_stands_before_the_report(ended):
    assert ["seen"] * 3 == ended.out.splitlines()[:3]
