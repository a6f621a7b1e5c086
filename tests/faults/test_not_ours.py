"""An output that this job has not written is taken over only if somebody says so."""

from __future__ import annotations

import gzip
import json

import pytest

from batchmill import run
from batchmill.errors import Changed, ConfigError
from commands import start
from small_jobs import by_kind, job, killed, write

RECORDS = [{"id": n} for n in range(6)]
FOREIGN = b"".join(b'{"id": %d, "by": "another"}\n' % n for n in range(4))


@pytest.fixture
def folder(tmp_path):
    """A job whose output another program has begun to write."""
    write(tmp_path, *RECORDS)
    (tmp_path / "out.jsonl").write_bytes(FOREIGN)
    return tmp_path


def untouched(folder):
    names = {path.name for path in folder.iterdir()}
    return (
        names <= {"in.jsonl", "out.jsonl", "out.ledger.lock"}
        and FOREIGN == (folder / "out.jsonl").read_bytes()
    )


@pytest.mark.parametrize("key", ["id", None])
def test_it_is_refused_whatever_keys_it_has_and_nothing_is_touched(folder, key):
    for _ in range(2):
        with pytest.raises(Changed, match="no ledger that knows it") as caught:
            run(job(folder, key=key))

    assert caught.value.exit_code == 2
    assert "--adopt" in caught.value.hint
    assert "--restart" in caught.value.hint
    assert untouched(folder)


def test_it_is_taken_over_where_that_is_asked_for(folder):
    report = run(job(folder), adopt=True)

    assert (4, 6, 2) == (report.already_settled, report.succeeded, report.called)
    assert (folder / "out.jsonl").read_bytes().startswith(FOREIGN)
    assert run(job(folder)).called == 0


def test_once_it_is_taken_over_asking_again_changes_nothing(folder):
    run(job(folder), adopt=True)
    before = (folder / "out.jsonl").read_bytes()

    assert run(job(folder), adopt=True).called == 0

    assert before == (folder / "out.jsonl").read_bytes()


def test_it_is_put_aside_by_a_restart(folder):
    report = run(job(folder), restart=True)

    assert report.succeeded == 6
    assert (folder / "out.jsonl.bak-1").read_bytes() == FOREIGN


def test_an_empty_one_is_nobodys(folder):
    (folder / "out.jsonl").write_bytes(b"")

    assert run(job(folder)).succeeded == 6


def test_beginning_anew_and_taking_over_contradict_each_other(folder):
    with pytest.raises(ConfigError, match="contradict"):
        run(job(folder), adopt=True, restart=True)

    assert untouched(folder)


def test_it_is_not_taken_over_without_a_key(folder):
    with pytest.raises(Changed) as caught:
        run(job(folder, key=None), adopt=True)

    assert "set a key" in caught.value.hint
    assert untouched(folder)


def test_one_that_came_after_a_run_without_any_result_is_of_another_making_too(tmp_path):
    write(tmp_path, {"id": 1, "kind": "none"})
    run(job(tmp_path))
    (tmp_path / "out.jsonl").write_bytes(FOREIGN)

    with pytest.raises(Changed, match="none of it was written by this job"):
        run(job(tmp_path))

    assert FOREIGN == (tmp_path / "out.jsonl").read_bytes()


def test_what_a_killed_run_left_before_its_first_results_counted_is_not_of_another_making(tmp_path):
    paths = killed(tmp_path, after=3)
    tail = paths.output.read_bytes()
    paths.output.write_bytes(tail + b'{"id": 99')

    assert run(job(tmp_path)).read == 50


STRANGE = {
    "a text": b"Dear all,\nthese are my notes.\n",
    "a list": b'[\n  {"id": 1},\n  {"id": 2}\n]\n',
    "numbers": b"1\n2\n3\n",
    "a table": b"id,name\n1,a\n2,b\n",
    "other bytes": b"\x00\x01\xff\xfe" * 30,
    "mostly a text": b'{"id": 1}\nand then\nthis\n',
    "no key": b'{"name": "a"}\n{"name": "b"}\n',
    "compressed": gzip.compress(FOREIGN),
    "cut off": gzip.compress(FOREIGN)[:-9],
}


@pytest.mark.parametrize("strange", STRANGE)
def test_a_file_that_does_not_begin_with_results_is_never_taken_over(folder, strange):
    (folder / "out.jsonl").write_bytes(STRANGE[strange])

    with pytest.raises(Changed):
        run(job(folder), adopt=True)

    assert STRANGE[strange] == (folder / "out.jsonl").read_bytes()
    assert {"in.jsonl", "out.jsonl", "out.ledger.lock"} == {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("strange", ['{"id": 1, "x": 2}\n', "name,age\na,1\n", "just this\n"])
def test_a_table_without_the_key_is_never_taken_over(folder, strange):
    (folder / "out.csv").write_text(strange)

    with pytest.raises(Changed, match="no column 'id'"):
        run(job(folder, sink=folder / "out.csv"), adopt=True)

    assert strange == (folder / "out.csv").read_text()


def test_a_compressed_one_is_taken_over_as_any_other(folder):
    (folder / "out.jsonl.gz").write_bytes(gzip.compress(FOREIGN))

    report = run(job(folder, sink=folder / "out.jsonl.gz"), adopt=True)

    assert (4, 6) == (report.already_settled, report.succeeded)
    assert 6 == len(gzip.decompress((folder / "out.jsonl.gz").read_bytes()).splitlines())


def test_the_torn_last_line_of_a_program_that_was_killed_is_taken_out(folder):
    (folder / "out.jsonl").write_bytes(FOREIGN + b'{"id": 5, "by"')

    report = run(job(folder), adopt=True)

    assert (4, 6) == (report.already_settled, report.succeeded)
    assert (folder / "out.jsonl.bak-1").read_bytes() == FOREIGN + b'{"id": 5, "by"'


@pytest.fixture
def project(folder):
    """The same as a job file and as a project with Settings."""
    (folder / "task.py").write_text("def process_record(record): return record\n")
    (folder / "job.toml").write_text(
        '[job]\nkey = "id"\n[source]\npath = "in.jsonl"\n[sink]\npath = "out.jsonl"\n'
    )
    (folder / "config.py").write_text(
        'class Settings:\n    INPUT_FILE = "in.jsonl"\n    OUTPUT_FILE = "out.jsonl"\n'
        '    ID_KEY = "id"\n'
    )
    return folder


def said(folder, *words, expected=0):
    process = start(*words, cwd=folder, stdout=-1, stderr=-1, text=True)
    out, err = process.communicate(timeout=60)
    assert expected == process.returncode, err
    return out + err


def test_the_command_refuses_it_and_says_what_to_do(project):
    assert "hint: --adopt" in said(project, "run", "job.toml", expected=2)
    assert "--adopt" in said(project, "run", "job.toml", "--dry-run", expected=2)
    assert "is refused" in said(project, "status", "job.toml")

    assert "find progress again" in said(project, "run", "job.toml", "--adopt", "--dry-run")
    told = said(project, "run", "job.toml", "--adopt", "--json", "--progress", "none")
    assert 6 == json.loads(told.splitlines()[0])["succeeded"]


def test_a_project_with_settings_goes_on_with_its_output_and_says_so_once(project):
    assert "finds progress again" in said(project, "status", "config.py")

    told = said(project, "run", "config.py", "--progress", "none")

    assert 1 == told.count("no ledger that knows it; progress was rebuilt by 'id'")
    assert "no ledger" not in said(project, "run", "config.py", "--progress", "none")


# Settings, where nothing was made with the old ones.


def test_changed_settings_are_no_question_where_no_record_is_settled(tmp_path):
    write(tmp_path, *RECORDS)

    async def failing(record):
        raise ConnectionError

    first = job(tmp_path, task=failing, version="1", key=None, limit=0)
    assert run(first).state == "incomplete"
    (tmp_path / "in.csv").write_text("id;kind\n1;a\n2;b\n")

    report = run(job(tmp_path, version="2", key="id", order="input", source=tmp_path / "in.csv",
                     source_options={"delimiter": ";"}))  # fmt: skip

    assert (2, "completed") == (report.succeeded, report.state)


def test_a_changed_source_is_no_question_where_no_record_is_settled(tmp_path):
    write(tmp_path, *RECORDS)

    def stopping(record):
        raise KeyError("systemic")

    assert run(job(tmp_path, task=stopping, key=None, systemic_after=3)).state == "aborted"
    write(tmp_path, {"id": "x"}, {"id": "y"}, {"id": "z"})

    report = run(job(tmp_path, task=by_kind, key=None))

    assert (3, 3, "completed") == (report.read, report.succeeded, report.state)


def test_changed_settings_are_asked_about_once_a_record_is_settled(tmp_path):
    write(tmp_path, *RECORDS)
    run(job(tmp_path, limit=1))

    with pytest.raises(Changed, match="settings that matter"):
        run(job(tmp_path, version="2"))


def test_a_file_that_becomes_the_errors_file_later_on_is_put_aside(tmp_path):
    write(tmp_path, *RECORDS)
    run(job(tmp_path))
    (tmp_path / "notes.txt").write_text("my diary\n")

    for _ in range(2):
        run(job(tmp_path, errors=tmp_path / "notes.txt"))

    assert (tmp_path / "notes.txt.bak-1").read_text() == "my diary\n"
    assert not (tmp_path / "notes.txt.bak-2").exists()


@pytest.mark.parametrize("adopt", [True, False])
def test_a_compressed_output_that_is_cut_short_is_refused_and_kept(tmp_path, adopt):
    """Its own, or one of another making: behind the first rows that are looked at."""
    write(tmp_path, *({"id": n} for n in range(60)))
    output = tmp_path / "out.jsonl.gz"
    run(job(tmp_path, sink=output))
    output.write_bytes(output.read_bytes()[:-6])
    if adopt:
        (tmp_path / "out.ledger").unlink()
    before = output.read_bytes()

    with pytest.raises(Changed, match="damaged or cut short") as caught:
        run(job(tmp_path, sink=output), adopt=adopt)

    assert "--restart" in caught.value.hint
    assert before == output.read_bytes()
