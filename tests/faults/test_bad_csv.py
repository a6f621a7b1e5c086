"""A CSV source that is not what one would wish: records, headers and files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass

import pytest

from batchmill import Job
from batchmill.errors import Changed, ConfigError
from batchmill.records import Mark
from batchmill.wiring.files import source_of
from faults.little import adds_up


@pytest.fixture
def table(little):
    """A job that reads in.csv; what its source is made of is given to `rows`."""
    little.source_name = "in.csv"
    return little


def rows(table, *lines, header=b"id,name", end=b"\n"):
    table.source.write_bytes(end.join([header, *lines]) + end)


def messages(table):
    return {letter["seq"]: letter["error"]["message"] for letter in table.letters()}


# Records.


def test_cells_are_strings_in_the_order_of_the_header(table):
    rows(table, b'1,"a, ""b"""', b"002, c ", b"3,")

    report = table.run(order="input")

    assert (report.state, report.succeeded) == ("completed", 3)
    assert table.text().splitlines() == [
        b'{"id":"1","name":"a, \\"b\\""}', b'{"id":"002","name":" c "}', b'{"id":"3","name":""}',
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ["async", "process"])
def test_a_ragged_row_is_a_dead_letter_that_counts_its_fields(table, engine):
    rows(table, b"1", b"2,x", b"3,x,y", b'"4"', b'"5",x,y')

    report = table.run(echo if engine == "process" else None, engine=engine, workers=1)

    assert (report.succeeded, report.failed) == (1, 4)
    assert messages(table) == {
        0: "the record has 1 field, not 2: 'name' is missing",
        2: "the record has 3 fields, not 2",
        3: "the record has 1 field, not 2: 'name' is missing",
        4: "the record has 3 fields, not 2",
    }
    assert table.letters()[1]["raw"] == "3,x,y"


def echo(record):
    return record


@pytest.mark.parametrize("record", [b"1,a\0b", b'1,"a\0b"', b"\0", b"\0a,b\0x,y"])
def test_a_nul_byte_is_a_dead_letter(table, record):
    rows(table, record, b"2,x")

    report = table.run()

    assert (report.succeeded, report.failed) == (1, 1)
    assert table.letters()[0]["raw"].encode().endswith(record)
    assert messages(table) == {0: "the record has a NUL byte"}


def test_bytes_that_are_not_the_encoding_are_a_dead_letter_that_keeps_them(table):
    rows(table, b"1,caf\xe9", b"2,x")

    report = table.run()

    assert (report.succeeded, report.failed) == (1, 1)
    assert table.letters()[0]["raw_base64"]
    assert "source.encoding" in messages(table)[0]


def test_a_quote_that_is_never_closed_costs_no_record_but_its_own(table):
    rows(table, b'1,"x', b"2,y", *(b"%d,z" % n for n in range(3, 5000)))

    report = table.run()

    assert (report.succeeded, report.failed) == (4998, 1)
    assert table.letters()[0]["raw"] == '1,"x'
    assert messages(table) == {0: "the quote that opens field 2 ('name') is not closed"}


def test_a_quote_that_the_next_quoted_field_would_close_costs_no_record_but_its_own(table):
    rows(table, b'"1","x', b'"2","y"', b'3,"x', b'4,"y"', b'5,"z"')

    report = table.run()

    assert [record["id"] for record in table.results()] == ["2", "4", "5"]
    assert (report.succeeded, report.failed) == (3, 2)


def test_text_behind_a_closing_quote_is_a_dead_letter(table):
    rows(table, b'1,"x"y', b'2,"x" ,', b'3,"x"')

    report = table.run()

    assert (report.succeeded, report.failed) == (1, 2)
    assert "behind its closing quote" in messages(table)[0]


def test_a_quote_inside_of_a_field_without_quotes_is_text(table):
    rows(table, b'1,5" pipe', b"2,x", b'3,"a\n', b'b"')

    table.run(order="input")

    assert [r["name"] for r in table.results()] == ['5" pipe', "x", "a\n\nb"]


def test_a_row_that_took_in_others_says_so(table):
    rows(table, b'1,"x', b"2,y", b'3,z",', b"4,x")

    report = table.run()

    assert (report.succeeded, report.failed) == (1, 1)
    assert messages(table)[0] == (
        "the record has 3 fields, not 2, over 3 lines: is a quote not closed?"
    )


def test_lines_without_anything_are_no_records(table):
    rows(table, b"", b"1,x", b"", b"  ", b"2,y", b"")

    report = table.run()

    assert (report.read, report.succeeded, report.failed) == (2, 2, 0)
    assert table.run().called == 0


def test_a_record_that_is_too_long_is_a_dead_letter(table):
    rows(table, b"1,x", b"2," + b"y" * 2_000_000, b"3,z", b'4,"' + b"q" * 900_000 + b'"')

    report = table.run()

    assert (report.succeeded, report.failed) == (3, 1)
    assert table.failed() == {1: "RecordTooLarge"}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\r\n"])
def test_line_ends_of_every_system_are_read(table, end):
    rows(table, b"1,x", b'2,"y"', b"3,z", end=end)

    report = table.run(order="input")

    assert report.failed == 0
    assert [list(r.values()) for r in table.results()] == [["1", "x"], ["2", "y"], ["3", "z"]]


def test_a_carriage_return_inside_of_a_line_is_a_dead_letter(table):
    rows(table, b"1,x\ry", b'2,"x\ry"')

    report = table.run()

    assert (report.succeeded, report.failed) == (1, 1)
    assert messages(table)[0] == "a carriage return stands outside of quotes"


def test_a_byte_order_mark_is_no_part_of_the_first_name(table):
    table.source.write_bytes(b'\xef\xbb\xbf"id",name\n1,x\n')

    table.run(key="id")

    assert table.results() == [{"id": "1", "name": "x"}]


# Headers.


@pytest.mark.parametrize("header", [b"id,name,id", b"id,,name,"])
def test_a_name_that_stands_twice_is_refused_before_anything_runs(table, header):
    rows(table, b"1,2,3", header=header)

    with pytest.raises(ConfigError, match="more than once") as refused:
        table.run()

    assert ("'id'" if b"d,n" in header else "''") in str(refused.value)
    assert not table.output.exists()


def test_one_column_may_have_no_name(table):
    rows(table, b"0,x", header=b",name")

    table.run()

    assert table.results() == [{"": "0", "name": "x"}]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"id,name\n", b"id,name", b"\xef\xbb\xbf"])
def test_a_file_without_records_is_done_at_once(table, content):
    table.source.write_bytes(content)

    report = table.run()

    assert (report.state, report.read, report.failed) == ("completed", 0, 0)


@pytest.mark.parametrize("header", [b"id;name;city", b"id\tname", b"id|name"])
def test_another_delimiter_is_offered(table, header):
    rows(table, header, header=header)

    with pytest.raises(ConfigError, match="one column") as refused:
        table.run()

    assert "is it separated by" in refused.value.hint


def test_one_column_that_looks_like_several_is_read_where_the_delimiter_is_given(table):
    rows(table, b"x", b"", b"y", header=b"a;b")

    report = table.run(source_options={"delimiter": ","}, order="input")

    assert table.results() == [{"a;b": "x"}, {"a;b": "y"}]
    assert report.read == 2


def test_names_may_be_given_where_there_is_no_header(table):
    table.source.write_bytes(b"1,x\n2,y\n")

    report = table.run(source_options={"fieldnames": ["id", "name"]})

    assert report.succeeded == 2


@pytest.mark.parametrize(("options", "said"), [
    ({"delimeter": ";"}, '"delimiter"'), ({"numbers": "exact"}, "known are"),
    ({"delimiter": ",,"}, "one character"), ({"encoding": "utf-9"}, "utf-8"),
    ({"fieldnames": ["a", "a"]}, "own name"), ({"fieldnames": "a,b"}, "list of texts"),
    ({"quotechar": ","}, "another character"), ({"max_record_bytes": 0}, "above zero"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(table, options, said):
    rows(table, b"1,x")

    with pytest.raises(ConfigError) as refused:
        table.run(source_options=options)

    assert said in str(refused.value)


# Files that change.


@pytest.mark.parametrize("more", [b"\n3,z\n", b'\r\n3,"z"', b"\n\n3,z"])
def test_a_file_that_grows_behind_its_open_line_goes_on_there(table, more):
    table.source.write_bytes(b"id,name\n1,x\n2,y")
    table.run()
    table.source.write_bytes(table.source.read_bytes() + more)

    report = table.run()

    assert report.called == 1
    assert [r["id"] for r in table.results()] == ["1", "2", "3"]


def test_an_open_line_that_goes_on_is_a_changed_source(table):
    table.source.write_bytes(b"id,name\n1,x\n2,y")
    table.run()
    table.source.write_bytes(table.source.read_bytes() + b"z\n")

    with pytest.raises(Changed):
        table.run()


def test_a_changed_header_is_a_changed_source(table):
    rows(table, b"1,x")
    table.run()
    rows(table, b"1,x", header=b"id,nome")

    with pytest.raises(Changed):
        table.run()


@pytest.mark.parametrize("options", [{"delimiter": ";"}, {"encoding": "latin-1"},
                                     {"fieldnames": ["a", "b"]}])  # fmt: skip
def test_options_that_change_the_records_are_refused_with_the_difference(table, options):
    rows(table, b"1,x")
    table.run()

    with pytest.raises(Changed, match=f"source.{next(iter(options))}"):
        table.run(source_options=options)


def test_what_a_resume_has_left_is_read_with_the_header(table):
    rows(table, *(b"%d,x" % n for n in range(20_000)))
    for limit in (1, 7, 5000, None):
        report = table.run(limit=limit)

    assert report.state == "completed"
    assert sorted(int(r["id"]) for r in table.results()) == list(range(20_000))


def test_failed_records_are_called_again_from_their_bytes(table):
    rows(table, b'1,"x\ny"', b"2,z")

    async def fail(record):
        raise ValueError(record["name"])

    table.run(fail)
    assert table.letters()[0]["raw"] == '1,"x\ny"'
    report = table.run(key=None)

    assert report.succeeded == 2


def test_a_record_without_its_key_is_a_dead_letter(table):
    rows(table, b"1,x", b",y")

    report = table.run(key="id")

    assert table.failed() == {1: "MissingKey"}
    assert adds_up(report)


@pytest.mark.parametrize("engine", ["async", "thread", "process"])
def test_records_are_converted_and_what_does_not_fit_names_its_field(table, engine):
    rows(table, b"1,2.5,true", b"x,1,", b"3,,", header=b"id,share,good")

    report = table.run(total, engine=engine, workers=1, order="input")

    assert [r["sum"] for r in table.results()] == [3.5, 3.0]
    assert report.failed == 1
    assert "`id`" in messages(table)[1]


@dataclass
class Measure:
    id: int
    share: float = 0.0
    good: bool | None = None


def total(record: Measure):
    return {"sum": record.id + record.share}


# Many files.


def test_files_that_match_a_pattern_are_one_source(table):
    for n in (2, 1, 3):
        text = b"id,name\n" + b"".join(b"%d%02d,x\n" % (n, k) for k in range(50))
        path = table.folder / f"part{n}.csv.gz"
        path.write_bytes(gzip.compress(text))
    table.source_name = "part*.csv.gz"

    table.run(limit=70, order="input")
    report = table.run(order="input")

    assert (report.state, report.called) == ("completed", 80)
    assert [int(r["id"]) for r in table.results()] == [n * 100 + k for n in (1, 2, 3)
                                                       for k in range(50)]  # fmt: skip


def test_a_file_that_was_added_at_the_end_is_read_and_one_in_between_is_refused(table):
    table.source_name = "part*.csv"
    for n in (1, 3):
        (table.folder / f"part{n}.csv").write_bytes(b"id\n%d\n" % n)
    table.run()
    (table.folder / "part4.csv").write_bytes(b"id\n4\n")
    assert table.run().called == 1

    (table.folder / "part2.csv").write_bytes(b"id\n2\n")
    with pytest.raises(Changed):
        table.run()
    (table.folder / "part2.csv").unlink()
    (table.folder / "part1.csv").unlink()
    with pytest.raises(Changed):
        table.run()


def test_a_file_without_the_key_gives_dead_letters(table):
    table.source_name = "part*.csv"
    (table.folder / "part1.csv").write_bytes(b"id,name\n1,x\n")
    (table.folder / "part2.csv").write_bytes(b"name,more\ny,z\n")

    report = table.run(key="id")

    assert table.failed() == {1: "MissingKey"}
    assert report.succeeded == 1


def test_records_say_of_which_file_they_are_where_that_is_asked_for(table):
    table.source_name = "d/**/*.jsonl"
    for name, line in {"d/a.jsonl": b'{"id": 1}\n{}\n\n5', "d/x/b.jsonl": b' {"id": 2}'}.items():
        path = table.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(line)

    report = table.run(source_options={"file_field": "from"}, order="input")

    assert table.results() == [
        {"from": "a.jsonl", "id": 1}, {"from": "a.jsonl"}, {"value": 5},
        {"from": "x/b.jsonl", "id": 2},
    ]  # fmt: skip
    assert report.read == 4


def test_a_pattern_that_nothing_matches_is_refused(table):
    table.source_name = "part*.csv"

    with pytest.raises(ConfigError, match="no file matches"):
        table.run()


def test_the_header_of_every_file_is_looked_at_before_anything_runs(table):
    table.source_name = "part*.csv"
    (table.folder / "part1.csv").write_bytes(b"id,name\n1,x\n")
    (table.folder / "part2.csv").write_bytes(b"id,id\ny,z\n")

    with pytest.raises(ConfigError, match=r"part2\.csv has 'id' more than once"):
        table.run()


def test_the_time_left_is_told_by_the_bytes_of_all_files(table):
    table.source_name = "part*.csv"
    for n in range(20):
        (table.folder / f"part{n:02}.csv").write_bytes(b"id\n" + b"%02d\n" % n * 1000)
    source = source_of(Job(source=table.source, task=echo, sink=table.output))

    fractions = [source.fraction(block.end) for block in source.blocks(Mark())]

    assert fractions == sorted(fractions)
    assert fractions[9] == pytest.approx(0.5, abs=0.05)
    assert fractions[-1] == 1.0
