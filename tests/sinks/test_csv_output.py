"""A job writes CSV as it writes JSONL: each result once, below one header, whatever happens."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace

import pytest

from batchmill import Job, run
from batchmill.errors import Changed, ConfigError
from batchmill.files.streams import reading
from batchmill.ledger.ledger import SqliteLedger
from batchmill.ledger.rerun import mark_reruns
from batchmill.ledger.verify import verify
from batchmill.paths import JobPaths
from commands import environment
from small_jobs import KEY_OF, mistaken, source_of, write


def echo(record):
    return record


def job(folder, sink="out.csv", **fields):
    given = {"source": folder / "in.jsonl", "sink": folder / sink, "task": echo, "key": "id",
             "systemic_after": 0}  # fmt: skip
    return Job(**given | fields)


def text(folder, sink="out.csv"):
    with reading(folder / sink) as stream:
        data = b""
        while piece := stream.read(1 << 16):
            data += piece
    return data


def rows(folder, sink="out.csv", **dialect):
    content = io.StringIO(text(folder, sink).decode("utf-8-sig"), newline="")
    return list(csv.DictReader(content, strict=True, **dialect))


def differences(folder, sink="out.csv"):
    found = verify(JobPaths.of(folder / sink), source=source_of(folder), key="id", key_of=KEY_OF)
    return [f"{finding.check}: {finding.text}" for finding in found if finding.verdict == "differs"]


def people(folder, count=6, **more):
    write(folder, *({"id": n, "name": f'n "{n}",\n é', **more} for n in range(count)))


@pytest.mark.parametrize("sink", ["out.csv", "out.csv.gz", "out.csv.zst", "out.tsv", "out.tsv.gz"])
def test_results_are_rows_below_a_header_however_often_the_job_is_taken_up(tmp_path, sink):
    people(tmp_path, 9)
    for _ in range(4):
        run(job(tmp_path, sink, limit=2))

    run(job(tmp_path, sink))

    delimiter = "\t" if "tsv" in sink else ","
    found = sorted(rows(tmp_path, sink, delimiter=delimiter), key=lambda row: int(row["id"]))
    assert [{"id": str(n), "name": f'n "{n}",\n é'} for n in range(9)] == found
    assert differences(tmp_path, sink) == []


def test_a_format_can_be_said_where_the_name_does_not(tmp_path):
    people(tmp_path, 1)

    run(job(tmp_path, "out.data", sink_format="csv"))

    assert text(tmp_path, "out.data").startswith(b"id,name\n0,")


def test_options_of_the_sink_shape_the_file(tmp_path):
    write(tmp_path, {"id": 1, "name": "=é"})
    options = {"delimiter": ";", "lineterminator": "\r\n", "encoding": "utf-8-sig",
               "fieldnames": ["name", "id", "more"], "guard_formulas": True}  # fmt: skip

    run(job(tmp_path, sink_options=options))

    assert "\N{BOM}name;id;more\r\n'=é;1;\r\n".encode() == text(tmp_path)


def test_there_may_be_no_header(tmp_path):
    people(tmp_path, 3)
    options = {"header": False, "fieldnames": ["id", "name"]}
    run(job(tmp_path, sink_options=options, limit=1))

    run(job(tmp_path, sink_options=options))

    found = csv.reader(io.StringIO(text(tmp_path).decode(), newline=""))
    assert ["0", "1", "2"] == sorted(row[0] for row in found)
    assert differences(tmp_path) == []


def test_the_columns_of_the_first_run_hold_for_all(tmp_path):
    people(tmp_path, 4)
    run(job(tmp_path, limit=1))

    run(job(tmp_path, task=lambda record: {"name": "later", "id": record["id"]}))

    assert text(tmp_path).startswith(b"id,name\n")
    assert ["later"] * 3 == [row["name"] for row in rows(tmp_path)[1:]]


def test_a_result_with_another_column_is_a_dead_letter(tmp_path):
    write(tmp_path, {"id": 1}, {"id": 2, "x": 1}, {"id": 3, "v": {"k": [1]}}, {"id": 4})

    report = run(job(tmp_path, concurrency=1, sink_options={"fieldnames": ["id", "v"]}))

    assert (3, {"UnencodableResult": 1}) == (report.succeeded, report.errors_by_type)
    assert [{"id": "1", "v": ""}, {"id": "3", "v": '{"k":[1]}'}, {"id": "4", "v": ""}] == sorted(
        rows(tmp_path), key=lambda row: row["id"])  # fmt: skip


def bad(record):
    return {"id": record["id"], "v": [b"x", {1}, float("nan"), [{1}], "\ud800"][record["id"]]}


def test_what_csv_cannot_carry_is_a_dead_letter_and_leaves_no_trace(tmp_path):
    people(tmp_path, 5)

    report = run(job(tmp_path, task=bad))

    assert {"UnencodableResult": 5} == report.errors_by_type
    assert text(tmp_path) == b""
    assert differences(tmp_path) == []


def nothing(record):
    return None


def test_an_output_without_results_gets_its_header_with_the_first_row(tmp_path):
    people(tmp_path, 3)
    run(job(tmp_path, task=nothing))
    assert text(tmp_path) == b""

    with open(tmp_path / "in.jsonl", "a") as file:
        file.write('{"id": 7, "name": "new"}\n')
    run(job(tmp_path))

    assert text(tmp_path) == b"id,name\n7,new\n"


def test_a_job_without_results_has_a_header_if_its_columns_are_known(tmp_path):
    people(tmp_path, 3)
    options = {"fieldnames": ["id", "name"]}

    report = run(job(tmp_path, task=nothing, sink_options=options))

    assert (3, b"id,name\n") == (report.filtered, text(tmp_path))
    assert differences(tmp_path) == []
    run(job(tmp_path, task=nothing, sink_options=options))
    assert text(tmp_path) == b"id,name\n"


def test_in_the_order_of_the_input_the_file_is_the_same_however_often_it_was_stopped(tmp_path):
    people(tmp_path, 20)
    run(job(tmp_path, "whole.csv", order="input"))
    for _ in range(6):
        run(job(tmp_path, order="input", limit=3))

    run(job(tmp_path, order="input"))

    assert text(tmp_path, "whole.csv") == text(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ";"}, {"fieldnames": ["name", "id"]}, {"quoting": "all"},
     {"guard_formulas": True}, {"lineterminator": "\r\n"}, {"encoding": "latin-1"}],
)  # fmt: skip
def test_a_changed_option_is_refused_with_the_difference(tmp_path, options):
    people(tmp_path, 3)
    run(job(tmp_path, limit=1))

    with pytest.raises(Changed, match=f"sink.{next(iter(options))}: was"):
        run(job(tmp_path, sink_options=options))


@pytest.mark.parametrize(
    "options",
    [{"delimiter": ";"}, {"encoding": "cp1252"}, {"guard_formulas": True}],
)
def test_one_file_is_not_written_in_two_ways_even_if_that_is_accepted(tmp_path, options):
    people(tmp_path, 3)
    run(job(tmp_path, limit=1))
    before = text(tmp_path)

    with pytest.raises(Changed, match="one file cannot be written in two ways"):
        run(job(tmp_path, sink_options=options), accept_changes=True)

    assert before == text(tmp_path)
    run(job(tmp_path, sink_options=options), restart=True)


def test_fieldnames_that_are_not_those_of_the_output_are_refused_before_anything_is_written(
    tmp_path,
):
    people(tmp_path, 3)
    run(job(tmp_path, limit=1))
    before = text(tmp_path)

    with pytest.raises(Changed, match=r"has the columns 'id', 'name', and sink\.fieldnames"):
        run(job(tmp_path, sink_options={"fieldnames": ["id"]}), accept_changes=True)

    assert before == text(tmp_path)


def test_an_unknown_option_is_named(tmp_path):
    people(tmp_path, 1)

    with pytest.raises(ConfigError, match=r"sink\.delimeter(.|\n)*did you mean \"delimiter\""):
        run(job(tmp_path, sink_options={"delimeter": ";"}))


def test_progress_is_found_again_by_key_when_the_ledger_is_lost(tmp_path):
    people(tmp_path, 6)
    run(job(tmp_path, limit=4))
    (tmp_path / "out.ledger").unlink()

    new = job(tmp_path, task=lambda record: {"id": record["id"], "name": "new"})
    report = run(new, adopt=True)

    assert (4, 6) == (report.already_settled, report.succeeded)
    assert sorted(str(n) for n in range(6)) == sorted(row["id"] for row in rows(tmp_path))
    assert differences(tmp_path) == []


def edit(folder, change):
    path = folder / "out.csv"
    table = rows(folder)
    table, names = change(table), list(table[0])
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, [*names, *(n for n in table[0] if n not in names)])
        out.writeheader()
        out.writerows(table)


def test_a_row_that_was_marked_by_hand_is_replaced(tmp_path):
    people(tmp_path, 5)
    run(job(tmp_path, rerun_key="redo"))
    edit(tmp_path, lambda table: [row | {"redo": "TRUE" if row["id"] == "2" else ""}
                                  for row in table if row["id"] != "4"])  # fmt: skip

    run(job(tmp_path, rerun_key="redo", task=lambda record: {"id": record["id"], "name": "new"}))

    assert {"0": False, "1": False, "2": True, "3": False, "4": True} == {
        row["id"]: row["name"] == "new" for row in rows(tmp_path)}  # fmt: skip
    assert differences(tmp_path) == []


def test_a_row_that_was_broken_by_hand_is_taken_out_and_made_again(tmp_path):
    people(tmp_path, 4)
    run(job(tmp_path))
    (tmp_path / "out.csv").write_bytes(text(tmp_path).replace(b'2,"', b"2,", 1))

    run(job(tmp_path))

    assert ["0", "1", "2", "3"] == sorted(row["id"] for row in rows(tmp_path))
    assert (tmp_path / "out.csv.bak-1").exists()
    assert differences(tmp_path) == []


def test_a_mark_without_cells_in_the_other_rows_does_not_have_all_of_them_called_again(tmp_path):
    people(tmp_path, 12)
    run(job(tmp_path, rerun_key="redo"))
    edited = text(tmp_path).replace(b"id,name\n", b"id,name,redo\n")
    (tmp_path / "out.csv").write_bytes(edited)

    with pytest.raises(Changed, match=r"rows of .*out\.csv are no CSV"):
        run(job(tmp_path, rerun_key="redo"))

    assert edited == text(tmp_path)


@pytest.mark.parametrize("sink", ["out.csv", "out.csv.gz"])
def test_a_rerun_replaces_the_row_and_keeps_the_header(tmp_path, sink):
    people(tmp_path, 6)
    run(job(tmp_path, sink, limit=3))
    run(job(tmp_path, sink))
    mark(tmp_path, "0", "5", sink=sink)

    again = job(tmp_path, sink, task=lambda record: {"id": record["id"], "name": "new"})
    run(replace(again, retry_failed=False), only="reruns")

    ids = [row["id"] for row in rows(tmp_path, sink)]
    assert ({"1", "2", "3", "4"}, {"0", "5"}) == ({*ids[:4]}, {*ids[4:]})
    assert ["new", "new"] == [row["name"] for row in rows(tmp_path, sink)[4:]]
    assert differences(tmp_path, sink) == []


def mark(folder, *wanted, sink="out.csv"):
    paths = JobPaths.of(folder / sink)
    ledger = SqliteLedger(paths.ledger, "job")
    try:
        mark_reruns(ledger, source_of(folder), paths.output, key="id", wanted=wanted,
                    key_of=KEY_OF)  # fmt: skip
    finally:
        ledger.close()


def test_keys_that_only_text_cannot_tell_apart_lose_no_row(tmp_path):
    write(tmp_path, {"id": 5, "v": "a"}, {"id": "5", "v": "b"})
    run(job(tmp_path))
    (tmp_path / "out.ledger").unlink()

    report = run(job(tmp_path), adopt=True)

    assert (2, ["a", "b"]) == (report.already_settled, sorted(r["v"] for r in rows(tmp_path)))
    assert differences(tmp_path) == []


def test_verify_finds_a_changed_and_a_broken_row(tmp_path):
    people(tmp_path, 3)
    run(job(tmp_path))
    path = tmp_path / "out.csv"
    path.write_bytes(text(tmp_path).replace("é".encode(), b"ee", 1))

    assert any("edited or damaged" in text for text in differences(tmp_path))


@pytest.mark.parametrize("less", [1, 8, 20])
def test_verify_finds_a_committed_end_that_is_no_end_of_a_row(tmp_path, less):
    people(tmp_path, 3)
    paths = JobPaths.of(tmp_path / "out.csv")
    run(job(tmp_path))

    def shorten(state):
        state.output.plain -= less

    mistaken(paths.ledger, shorten)

    assert differences(tmp_path) != []


def test_verify_counts_rows_and_neither_lines_nor_the_header(tmp_path):
    people(tmp_path, 3)
    run(job(tmp_path))

    found = verify(JobPaths.of(tmp_path / "out.csv"), source=None, key=None, key_of=None)

    assert "3 for 3 succeeded, each of them CSV" in [f.text for f in found if f.check == "lines"]


def test_a_list_of_results_is_so_many_rows(tmp_path):
    people(tmp_path, 2)

    run(job(tmp_path, task=lambda record: [record] * record["id"]))

    assert ["1"] == [row["id"] for row in rows(tmp_path)]


TASK = """
def process_record(record):
    return record | {"gen": GEN}
"""


def command(folder, *words):
    done = subprocess.run([sys.executable, "-m", "batchmill", *words], cwd=folder, text=True,
                          capture_output=True, env=environment())  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sink", ["out.csv", "out.jsonl"])
def test_the_commands_take_csv_in_as_they_take_json(tmp_path, sink):
    (tmp_path / "in.csv").write_text('id;name\n1;"a;\n""b"""\n2;c\n3;d\n')
    (tmp_path / "task.py").write_text(TASK.replace("GEN", "1"))
    (tmp_path / "job.toml").write_text(
        f'[job]\ntask = "task.py"\nkey = "id"\n[source]\npath = "in.csv"\ndelimiter = ";"\n'
        f'[sink]\npath = "{sink}"\n'
    )

    assert command(tmp_path, "run", "job.toml")[0] == 0
    (tmp_path / "task.py").write_text(TASK.replace("GEN", "2"))
    assert command(tmp_path, "rerun", "job.toml", "--key", "2")[0] == 0

    for words in (["job.toml"], [sink, "--input", "in.csv"]):
        code, said = command(tmp_path, "verify", *words)
        assert (code, "no 'id' has more results than records" in said) == (0, True), said
    assert "3 of 3 read" in command(tmp_path, "status", sink)[1]
    assert "succeeded     3" in command(tmp_path, "report", sink)[1]
    if sink == "out.csv":
        assert {"1": "1", "2": "2", "3": "1"} == {
            row["id"]: row["gen"] for row in rows(tmp_path)}  # fmt: skip


def number(record):
    return {"id": int(record["id"])}


def test_a_task_may_make_numbers_of_the_keys_of_a_csv_file(tmp_path):
    (tmp_path / "in.csv").write_text("id\n1\n2\n3\n")
    made = job(tmp_path, "out.jsonl", source=tmp_path / "in.csv", task=number)
    run(replace(made, limit=2))
    (tmp_path / "out.ledger").unlink()

    report = run(made, adopt=True)

    assert (2, 3) == (report.already_settled, report.succeeded)
