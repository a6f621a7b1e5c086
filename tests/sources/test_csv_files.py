"""Records of CSV are cut where the csv module would cut them, whatever is read at once."""

from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchmill.errors import ConfigError
from batchmill.formats.csv_dialect import CsvDialect
from batchmill.formats.csv_reader import CsvReader
from batchmill.protocols import Source
from batchmill.records import Mark, Oversized
from batchmill.sources import lines as lines_module
from batchmill.sources.csv_files import CsvFiles
from batchmill.testing import SourceContract


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("csv") / "in.csv"


def files(*paths, **options):
    return CsvFiles(paths, dialect=CsvDialect.of({"delimiter": ",", **options}),
                    labels=[path.name for path in paths])  # fmt: skip


def cut(source, mark=None):
    """Blocks of a source, and their records, with what is too long as such."""
    blocks = list(source.blocks(mark or Mark()))
    records = [record for block in blocks for record in block.records]
    return blocks, [Oversized if isinstance(each, Oversized) else each for each in records]


def read(path, read_bytes, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "READ_BYTES", read_bytes)
        source = files(path, **options)
        return (source, *cut(source))


cells = st.text(st.sampled_from('ab é\n\r",;😀'), max_size=6) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)
sizes = st.integers(1, 50) | st.just(1 << 17)


@st.composite
def tables(draw):
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8))
    return [[f"column {n}" for n in range(width)], *rows]


def written(table, end, quoting):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(table)
    return text.getvalue()


# With another line end than "\r\n" csv.writer leaves carriage returns without quotes, which no
# reader can tell from line ends.
WRITTEN = [("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]


@settings(max_examples=400, deadline=None)
@given(tables(), st.sampled_from(WRITTEN), sizes, st.booleans())
def test_what_csv_writer_writes_is_read_as_dict_reader_reads_it(path, table, how, size, ended):
    text = written(table, *how)
    text = text if ended else text.removesuffix(how[0])
    path.write_bytes(text.encode())

    source, _, raws = read(path, size)

    decode = CsvReader(CsvDialect(), source.names).decode
    expected = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [decode(raw) for raw in raws if raw] == expected


@settings(max_examples=200, deadline=None)
@given(tables(), st.sampled_from(WRITTEN), sizes)
def test_reading_goes_on_from_every_mark(path, table, how, size):
    path.write_bytes(written(table, *how).encode())
    source, blocks, raws = read(path, size)

    assert source.holds(Mark())
    for end in [block.end for block in blocks]:
        assert source.holds(end)
        assert cut(files(path), end)[1] == raws[end.seq :]


junk = st.lists(
    st.sampled_from(["a", "xyz", "\n", "\n", '"', '"', ",", "\r\n", "\r", '""', "\\"]), max_size=50
).map("".join)


@settings(max_examples=500, deadline=None)
@given(junk, sizes, st.sampled_from([6, 15, 1000]), st.sampled_from(["", "\\"]))
def test_where_a_record_ends_does_not_depend_on_what_is_read_at_once(
    path, text, size, limit, escapechar
):
    path.write_bytes(b"a,b\n" + text.encode())
    options = {"max_record_bytes": limit, "escapechar": escapechar}

    source, blocks, raws = read(path, size, **options)

    assert raws == read(path, 1 << 17, **options)[2]
    assert not blocks or blocks[-1].end.offset == path.stat().st_size
    for end in [block.end for block in blocks]:
        assert source.holds(end)
        assert cut(files(path, **options), end)[1] == raws[end.seq :]


@settings(max_examples=200, deadline=None)
@given(junk, sizes)
def test_every_byte_of_the_file_is_in_one_record(path, text, size):
    path.write_bytes(b"a,b\n" + text.encode())

    _, _, raws = read(path, size)

    assert b"".join(raws).translate(None, b"\r\n") == text.encode().translate(None, b"\r\n")


def test_memory_is_bounded_where_a_quote_is_never_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "READ_BYTES", 1000)
    path = tmp_path / "in.csv"
    path.write_bytes(b'a,b\n1,"2\n' + b"x,y\n" * 50_000)
    most = 0
    hold = lines_module.LineReader._hold

    def watched(reader, chunk):
        nonlocal most
        hold(reader, chunk)
        most = max(most, reader._held)

    monkeypatch.setattr(lines_module.LineReader, "_hold", watched)
    _, raws = cut(files(path, max_record_bytes=5000))

    assert len(raws) == 50_001
    assert most <= 11_000


def test_a_changed_header_is_a_changed_source(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(b"id,name\n1,x\n")
    end = cut(files(path))[0][-1].end
    path.write_bytes(b"id,nama\n1,x\n")

    assert not files(path).holds(end)


def test_a_quote_that_is_closed_by_what_was_appended_makes_other_records(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(b'id,name\n1,"x\n2,y\n')
    blocks, raws = cut(files(path))
    assert raws == [b'1,"x', b"2,y"]

    path.write_bytes(b'id,name\n1,"x\n2,y\n3,z\n')
    assert files(path).holds(blocks[-1].end)
    path.write_bytes(b'id,name\n1,"x\n2,y\n3,z"\n')
    assert not files(path).holds(blocks[-1].end)


def test_another_limit_is_noticed_only_if_records_are_cut_in_another_way(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(b'id,name\n1,"x\ny\nz"\n2,y\n')
    end = cut(files(path))[0][-1].end

    assert files(path).identity() != files(path, max_record_bytes=50).identity()
    assert files(path, max_record_bytes=50).holds(end)
    assert not files(path, max_record_bytes=5).holds(end)


# Several files.


def test_files_follow_each_other_and_each_has_its_header(tmp_path):
    paths = [tmp_path / f"{n}.csv" for n in range(4)]
    for path, text in zip(paths, [b"id,n\n1,2\n3,4", b"", b"id,n\n", b"id,n\n5,6\n"], strict=True):
        path.write_bytes(text)

    blocks, raws = cut(files(*paths))

    assert raws == [b"1,2", b"3,4", b"5,6"]
    for end in [block.end for block in blocks]:
        assert files(*paths).holds(end)
        assert cut(files(*paths), end)[1] == raws[end.seq :]


def test_records_of_files_with_other_columns_carry_their_names(tmp_path):
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes(b"id,name\n1,x\n")
    two.write_bytes(b'name,"the, id",more\ny,2,z\n')
    source = files(one, two, file_field="file")
    decode = CsvReader(CsvDialect(file_field="file"), source.names).decode

    _, raws = cut(source)

    assert [decode(raw) for raw in raws] == [
        {"file": "1.csv", "id": "1", "name": "x"},
        {"file": "2.csv", "name": "y", "the, id": "2", "more": "z"},
    ]


@pytest.mark.parametrize("change", [
    lambda one, two: one.write_bytes(b"a\n1\n2\n"),
    lambda one, two: two.unlink(),
    lambda one, two: two.write_bytes(b"a\n4\n"),
    lambda one, two: (one.parent / "0.csv").write_bytes(b"a\n"),
])  # fmt: skip
def test_a_file_that_changed_or_is_gone_or_came_before_is_a_changed_source(tmp_path, change):
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes(b"a\n1\n")
    two.write_bytes(b"a\n3\n")
    end = cut(files(one, two))[0][-1].end
    change(one, two)

    assert not files(*sorted(tmp_path.glob("*.csv"))).holds(end)


# Encodings and delimiters.


@pytest.mark.parametrize("encoding", [
    "utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32", "shift_jis",
    "gb18030", "cp037",
])  # fmt: skip
def test_encodings_are_read(tmp_path, encoding):
    path = tmp_path / "in.csv"
    letter = "ソ" if encoding in ("shift_jis", "gb18030") else "é"
    rows = [{"id": str(n), "name": f'{letter}"x,\n{letter}'} for n in range(300)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["id", "name"])
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))

    source, blocks, raws = read(path, 500, encoding=encoding)

    decode = CsvReader(CsvDialect(encoding=encoding), source.names).decode
    assert [decode(raw) for raw in raws] == rows
    for end in [block.end for block in blocks][::5]:
        assert source.holds(end)
        assert cut(files(path, encoding=encoding), end)[1] == raws[end.seq :]


def test_a_file_in_utf_16_that_is_said_to_be_utf_8_is_known_at_once(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes("id,name\n1,x\n".encode("utf-16"))

    with pytest.raises(ConfigError, match="UTF-16"):
        files(path)


@pytest.mark.parametrize("options", [
    {"delimiter": ";"}, {"delimiter": "\t"}, {"delimiter": "§"}, {"quotechar": "'"},
    {"escapechar": "\\"}, {"escapechar": "\\", "doublequote": False},
])  # fmt: skip
def test_dialects_are_those_of_the_csv_module(tmp_path, options):
    dialect = CsvDialect.of({"delimiter": ",", **options})
    rows = [["id", "na;me"], ["1", "x,y;z"], ["2", "a\"b'c\nd§"], ["3", "\tx\\y"]]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", **dialect.for_csv()).writerows(rows)
    path = tmp_path / "in.csv"
    path.write_text(text.getvalue(), newline="")

    source, _, raws = read(path, 5, **options)

    decode = CsvReader(dialect, source.names).decode
    assert [list(decode(raw).values()) for raw in raws] == rows[1:]


def test_without_quotechar_quotes_are_text_like_any_other(tmp_path):
    path = tmp_path / "in.tsv"
    path.write_bytes(b'id,size\n1,5"\n2,"6"\n')

    source, _, raws = read(path, 5, quotechar="")

    decode = CsvReader(CsvDialect(quotechar=""), source.names).decode
    assert [decode(raw)["size"] for raw in raws] == ['5"', '"6"']


class TestCsvFile(SourceContract):
    def make(self, folder, count) -> Source:
        path = folder / "in.csv"
        if not path.exists():
            path.write_bytes(b"".join([b"id,text\n" * bool(count), *map(_row, range(count))]))
        return files(path)


class TestGzippedCsvFile(SourceContract):
    def make(self, folder, count) -> Source:
        path = folder / "in.csv.gz"
        if not path.exists():
            path.write_bytes(gzip.compress(b"".join([b"id,text\n", *map(_row, range(count))])))
        return files(path)


class TestManyCsvFiles(SourceContract):
    def make(self, folder, count) -> Source:
        for first in range(0, 1000, 100):
            rows = b"".join(_row(n) for n in range(first, first + 100) if n < count)
            (folder / f"{first:04}.csv").write_bytes(b"id,text\n" + rows)
        return files(*sorted(folder.glob("*.csv")))


def _row(number):
    return b'%d,"%s\n"\n' % (number, b"x" * 400)
