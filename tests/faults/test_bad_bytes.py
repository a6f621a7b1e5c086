"""A source whose bytes are not what one would wish."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
import textwrap
from contextlib import suppress

import pytest

from batchmill import BatchmillError
from batchmill.errors import Changed
from crash.harness import SOURCES
from faults.little import adds_up

DEEP = 100_000
ENGINES = ["async", "thread"]


def plain_echo(record):
    return record if isinstance(record, dict) else {"value": record}


# Lines and their ends.


def test_an_empty_file_is_done_at_once_and_leaves_an_empty_output(little):
    little.source.write_bytes(b"")

    report = little.run()

    assert (report.state, report.read, report.exit_code) == ("completed", 0, 0)
    assert little.text() == b""
    assert little.letters() == []


def test_a_last_line_without_an_end_is_a_record_like_any_other(little):
    little.write({"id": 1}, {"id": 2}, end=b"")

    assert little.run().succeeded == 2
    assert little.results() == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("more", [b'\n{"id": 3}\n', b'\n{"id": 3}', b'\r\n{"id": 3}\r\n'])
def test_a_file_that_grows_behind_its_open_line_goes_on_there(little, more):
    little.write({"id": 1}, {"id": 2}, end=b"")
    little.run()
    little.source.write_bytes(little.source.read_bytes() + more)

    report = little.run()

    assert list(little.called) == ['{"id": 3}']
    assert little.results() == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert (report.read, report.pending) == (3, 0)


@pytest.mark.parametrize("key", ["id", None])
def test_an_open_line_that_goes_on_is_another_record(little, key):
    little.options["key"] = key
    little.write({"id": 1}, b'{"id": 2, "n": 1', end=b"")
    little.age()
    assert little.run().failed == 1
    little.source.write_bytes(little.source.read_bytes() + b'2}\n{"id": 3}\n')

    if key is None:
        with pytest.raises(Changed):
            little.run()
        return
    report = little.run()

    assert (report.succeeded, report.failed) == (3, 0)
    assert little.results() == [{"id": 1}, {"id": 2, "n": 12}, {"id": 3}]
    assert little.letters() == []


def test_a_number_on_an_open_line_that_gets_more_digits_is_another_record(little):
    little.write(7, 12, end=b"")
    little.run()
    little.source.write_bytes(b"7\n123\n")

    with pytest.raises(Changed, match="not what it was"):
        little.run()


def test_what_stands_behind_a_carriage_return_belongs_to_the_open_line(little):
    little.write({"id": 1}, {"id": 2}, end=b"")
    little.run()
    little.source.write_bytes(little.source.read_bytes() + b'\r{"id": 3}\n')

    with pytest.raises(Changed):
        little.run()


def test_an_open_line_may_get_its_end_byte_by_byte(little):
    little.write({"id": 1}, end=b"")
    for more in (b"\r", b"\n", b'{"id": 2}', b"\n", b'{"id": 3}\n'):
        assert little.run().state == "completed"
        little.source.write_bytes(little.source.read_bytes() + more)

    report = little.run()

    assert little.results() == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert (report.read, report.succeeded, report.pending) == (3, 3, 0)
    little.source.touch()
    assert little.run(lambda record: {"failed": 1 / 0}).called == 0


def test_carriage_returns_at_the_ends_of_lines_are_no_part_of_records(little):
    little.source.write_bytes(b'{"id": "a"}\r\n\r\n{"id": "b\\r"}\r\n{"id": 3, \r\n')

    report = little.run()

    assert little.results() == [{"id": "a"}, {"id": "b\r"}]
    assert (report.read, report.failed) == (3, 1)
    assert little.letters()[0]["seq"] == 3


def test_line_ends_of_unicode_are_no_line_ends(little):
    little.source.write_bytes('{"id": "a\u2028b\u0085c"}\n'.encode())

    little.run()

    assert little.results() == [{"id": "a\u2028b\u0085c"}]


@pytest.mark.parametrize("blank", [b"", b"  ", b"\t", b"\r", b" \r"])
def test_blank_lines_are_no_records_but_keep_their_numbers(little, blank):
    little.write(blank, {"id": 1}, blank, blank, b"bad", blank)

    report = little.run()

    assert (report.read, report.succeeded, report.failed, report.pending) == (2, 1, 1, 0)
    assert little.failed() == {4: "InvalidRecord"}
    assert adds_up(report)


def test_a_file_of_blank_lines_has_no_records(little):
    little.source.write_bytes(b"\n \n\n\r\n")

    assert little.run().read == 0
    assert little.run().read == 0


# Encodings.


def test_a_byte_order_mark_is_no_part_of_the_first_record(little):
    little.source.write_bytes(b'\xef\xbb\xbf{"id": 1}\n{"id": 2}\n')

    little.run()

    assert little.results() == [{"id": 1}, {"id": 2}]


def test_a_byte_order_mark_alone_is_no_record(little):
    little.source.write_bytes(b"\xef\xbb\xbf")

    assert little.run().read == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_another_encoding_is_named_and_makes_no_dead_letters(little, encoding):
    little.source.write_bytes('{"id": 1}\n{"id": 2}\n'.encode(encoding))

    report = little.run()

    assert report.state == "aborted"
    assert "UTF-16" in report.reason
    assert "hint: " in report.reason
    assert little.letters() == []


@pytest.mark.parametrize(
    "line", [b'{"id": "\xff\xfe"}', b'{"id": "\xc3"}', b'{"id": "\xed\xa0\x80"}', b"\x80"]
)
def test_bytes_that_are_no_utf_8_are_a_dead_letter_with_those_bytes(little, line):
    little.write({"id": 1}, line, {"id": 3})

    report = little.run()

    assert (report.succeeded, report.failed) == (2, 1)
    assert base64.b64decode(little.letters()[0]["raw_base64"]) == line


@pytest.mark.parametrize("line", [b"\0" * 50, b'{"id": "a\0b"}', b'\0{"id": 1}', b'{"id": 1}\0'])
def test_nul_bytes_are_a_dead_letter_with_those_bytes(little, line):
    little.write({"id": 1}, line, {"id": 3})

    report = little.run()

    assert (report.succeeded, report.failed) == (2, 1)
    assert little.letters()[0]["raw"].encode() == line


# JSON that is none, or is strange.

BROKEN = [
    b"{", b"}", b'{"id": 1', b'{"id": 1}}', b'{"id": 1} {"id": 2}', b"{'id': 1}", b'{"id": 01}',
    b'{"id": 1,}', b"tru", b'"\\x"', b'{"id" 1}', b"// no", b'{"a": 1}\r{"a": 2}',
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_broken_json_is_a_dead_letter_with_its_text(little, engine):
    little.write({"id": 0}, *BROKEN)

    report = little.run(little.echo if engine == "async" else plain_echo, engine=engine)

    assert (report.succeeded, report.failed) == (1, len(BROKEN))
    assert [letter["raw"].encode() for letter in little.letters()] == BROKEN
    assert {letter["error"]["type"] for letter in little.letters()} == {"InvalidRecord"}


@pytest.mark.parametrize("line", [b"NaN", b'{"x": NaN}', b"-Infinity", b'{"x": [Infinity]}'])
def test_numbers_that_json_does_not_know_are_a_dead_letter(little, line):
    little.write({"id": 1}, line)

    assert little.run().failed == 1
    assert little.failed() == {1: "InvalidRecord"}


def test_a_number_too_large_for_a_float_does_not_become_infinite(little):
    little.write({"id": 1}, b'{"x": 1e400}')

    report = little.run()

    assert b"nfinity" not in little.text()
    assert b"null" not in little.text()
    assert (report.succeeded, report.failed) == (1, 1)


def test_values_that_are_no_objects_reach_the_task(little):
    little.write(5, "x", [1, {"a": 2}], None, True, 1.5)

    little.run()

    assert [r["value"] for r in little.results()] == [5, "x", [1, {"a": 2}], None, True, 1.5]


INTEGERS = [
    2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, -(2**70), 10**30, 10**400,
]  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_integers_of_any_size_survive_unchanged(little, engine):
    little.write(*[{"id": n, "deep": [{"n": -n}]} for n in INTEGERS])

    little.run(little.echo if engine == "async" else plain_echo, engine=engine, order="input")

    assert little.results() == [{"id": n, "deep": [{"n": -n}]} for n in INTEGERS]


def test_an_integer_with_too_many_digits_is_a_dead_letter(little):
    little.write({"id": 1}, b'{"id": ' + b"7" * 5000 + b"}", {"id": 3})

    report = little.run()

    assert (report.succeeded, report.failed) == (2, 1)


def test_the_order_of_keys_and_every_character_survive(little):
    line = '{"z":1,"a":{"ß":"\u2028 \U0001f600 \\u0000 \\" \\\\ /"},"":[],"m":{}}\n'
    little.source.write_bytes(line.encode())

    little.run()

    assert list(little.results()[0]) == ["z", "a", "", "m"]
    assert little.results() == [json.loads(line)]


def test_numbers_keep_their_spelling_where_that_is_asked_for(little):
    line = b'{"a":1.10,"b":1E+5,"c":-0.0,"d":0.1e-7,"e":12345678901234567890.123456789}\n'
    little.source.write_bytes(line)

    little.run(source_options={"numbers": "exact"})

    assert little.text() == line


def test_of_doubled_keys_in_an_object_the_last_one_counts(little):
    little.write(b'{"id": 1, "id": 2, "x": {"a": 1, "a": 2}}')

    little.run()

    assert little.results() == [{"id": 2, "x": {"a": 2}}]


@pytest.mark.parametrize("line", [b'{"id": "\\ud800"}', b'{"\\udfff": 1}', b'{"id": "\\ud800x"}'])
def test_half_a_surrogate_pair_is_a_dead_letter_and_no_more(little, line):
    little.write({"id": 1}, line, {"id": 3})

    report = little.run()

    assert report.state == "completed"
    assert (report.succeeded, report.failed) == (2, 1)
    assert little.letters()[0]["raw"].encode() == line


# Size.


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_without_end_is_a_dead_letter(little, opening, closing, engine):
    little.write({"id": 1}, opening * DEEP + b"1" + closing * DEEP, opening * DEEP, {"id": 4})

    report = little.run(little.echo if engine == "async" else plain_echo, engine=engine)

    assert (report.succeeded, report.failed) == (2, 2)
    assert set(little.failed()) == {1, 2}


def test_a_line_may_be_as_long_as_is_allowed_and_not_one_byte_longer(little):
    lines = [b'{"x": "%s"}' % (b"a" * (size - 9)) for size in (99, 100, 101, 300_000, 100)]
    assert [len(line) for line in lines] == [99, 100, 101, 300_000, 100]
    little.write(*lines, {"id": 1})

    report = little.run(source_options={"max_record_bytes": 100})

    assert (report.succeeded, report.failed) == (4, 2)
    assert little.failed() == {2: "RecordTooLarge", 3: "RecordTooLarge"}
    assert all(len(letter["raw"]) <= 1024 for letter in little.letters())
    assert little.run(source_options={"max_record_bytes": 100}).state == "completed"
    little.source.write_bytes(little.source.read_bytes() + b'{"id": 2}\n')
    assert little.run(source_options={"max_record_bytes": 100}).succeeded == 5


@pytest.mark.parametrize("end", [b'\n{"id": 2}\n', b""])
def test_a_line_of_a_hundred_megabytes_is_a_dead_letter_and_takes_bounded_memory(little, end):
    with little.source.open("wb") as file:
        file.write(b'{"id": 1}\n{"x": "')
        for _ in range(100):
            file.write(b"a" * 1_000_000)
        file.write(b'"}' + end)
    little.age()
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from batchmill import Job, run
        async def echo(record): return record
        report = run(Job(source=sys.argv[1], sink=sys.argv[2], task=echo))
        status = Path("/proc/self/status").read_text()
        print(report.succeeded, report.failed, status.split("VmHWM:")[1].split()[0])
    """)

    said = subprocess.run(
        [sys.executable, "-c", script, little.source, little.output],
        env={"PYTHONPATH": SOURCES}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    succeeded, failed, peak_kib = map(int, said.split())
    assert (succeeded, failed) == (2 if end else 1, 1)
    assert little.failed() == {1: "RecordTooLarge"}
    assert peak_kib < 220 * 1024, "twice the limit of 64 MiB, and the interpreter"


# Files that are something else.


@pytest.mark.parametrize("beginning", [b"[\n", b"{\n", b"  [ \n"])
def test_a_json_document_over_many_lines_is_refused(little, beginning):
    little.source.write_bytes(beginning + b'  {"id": 1},\n  {"id": 2}\n]\n')

    report = little.run()

    assert report.state == "aborted"
    assert "hint: " in report.reason
    assert little.letters() == []


def test_a_compressed_source_that_is_cut_short_is_read_to_there_and_goes_on_when_mended(little):
    lines = [{"id": n, "text": "x" * (n % 700)} for n in range(20_000)]
    little.source_name = "in.jsonl.gz"
    whole = gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines), mtime=0)
    little.source.write_bytes(whole[: len(whole) // 2])

    report = little.run()

    assert report.state == "aborted"
    assert report.exit_code == 1
    assert 0 < report.succeeded < len(lines)
    assert adds_up(report)
    little.source.write_bytes(whole)
    assert little.run().state == "completed"
    assert sorted(r["id"] for r in little.results()) == list(range(len(lines)))


def test_garbage_behind_a_compressed_source_is_said(little):
    little.source_name = "in.jsonl.gz"
    little.source.write_bytes(gzip.compress(b'{"id": 1}\n') + b"garbage")

    report = little.run()

    assert report.state == "aborted"
    assert report.reason


def test_a_compressed_source_may_have_many_members_and_any_name(little):
    members = [gzip.compress(b'{"id": %d}\n' % n) for n in range(5)]
    little.source.write_bytes(b"".join(members))

    little.run(order="input")

    assert [r["id"] for r in little.results()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd\x00\x00"])
def test_a_compressed_source_that_is_hardly_begun_is_said(little, content):
    little.source.write_bytes(content)

    with suppress(BatchmillError):
        report = little.run()
        assert report.state == "aborted"
        assert report.reason
