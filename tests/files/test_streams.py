"""Files are read as they are, compressed or not, up to where they are damaged and no further."""

from __future__ import annotations

import gzip
import os
import random
import zlib

import pytest

from batchmill.errors import SourceError
from batchmill.files import zstd
from batchmill.files.streams import FileStream, crc_of, reading

COMPRESSIONS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd.compress}
CHANCE = random.Random(1)
LINES = b"".join(b'{"n":%d,"x":%d}\n' % (n, CHANCE.getrandbits(160)) for n in range(5000))


def read_all(stream, size=1 << 17):
    """Everything up to the end, or up to the error; and the error."""
    parts = []
    try:
        while part := stream.read(size):
            parts.append(part)
    except SourceError as error:
        return b"".join(parts), error
    return b"".join(parts), None


def pieces(data, count=5):
    step = -(-len(data) // count)
    return [data[at : at + step] for at in range(0, len(data), step)]


@pytest.fixture(params=COMPRESSIONS)
def compress(request):
    return COMPRESSIONS[request.param]


@pytest.fixture(params=["gzip", "zstd"])
def squeeze(request):
    return COMPRESSIONS[request.param]


@pytest.mark.parametrize("size", [1, 1000, 1 << 17, 1 << 24])
def test_a_file_of_several_members_is_read_to_its_end(tmp_path, compress, size):
    data = LINES[:3000] if size == 1 else LINES
    path = tmp_path / "in"
    path.write_bytes(b"".join(map(compress, pieces(data))))

    with reading(path) as stream:
        assert read_all(stream, size) == (data, None)


def test_no_more_is_read_than_asked_for(tmp_path, compress):
    path = tmp_path / "in"
    path.write_bytes(compress(bytes(1_000_000)))

    with reading(path) as stream:
        assert 0 < len(stream.read(100)) <= 100


@pytest.mark.parametrize("offset", [0, 1, 1000, len(LINES) - 1, len(LINES)])
def test_reading_goes_on_at_an_offset_of_the_content(tmp_path, compress, offset):
    path = tmp_path / "in"
    path.write_bytes(b"".join(map(compress, pieces(LINES))))

    with reading(path, offset) as stream:
        assert read_all(stream) == (LINES[offset:], None)


def test_an_empty_file_is_empty_whatever_its_name(tmp_path):
    for name in ("in", "in.gz", "in.zst"):
        (tmp_path / name).write_bytes(b"")
        with reading(tmp_path / name) as stream:
            assert read_all(stream) == (b"", None)


def test_members_without_content_are_no_end(tmp_path, squeeze):
    path = tmp_path / "in"
    path.write_bytes(squeeze(b"") + squeeze(b"a\n") + squeeze(b"") + squeeze(b"b\n") + squeeze(b""))

    with reading(path) as stream:
        assert read_all(stream) == (b"a\nb\n", None)


@pytest.mark.parametrize("cut", [1, 4, 10, 1000])
def test_a_file_that_was_cut_is_no_shorter_file(tmp_path, squeeze, cut):
    path = tmp_path / "in"
    whole = b"".join(map(squeeze, pieces(LINES)))
    path.write_bytes(whole[:-cut])

    with reading(path) as stream:
        content, error = read_all(stream)

    assert "damaged or cut short" in str(error)
    assert LINES.startswith(content)


def test_all_that_stands_before_the_cut_member_is_read(tmp_path, squeeze):
    *firsts, last = members = [squeeze(piece) for piece in pieces(LINES)]
    path = tmp_path / "in"
    path.write_bytes(b"".join(firsts) + last[: len(last) // 2])

    with reading(path) as stream:
        content, error = read_all(stream)

    assert error
    assert len(content) >= sum(map(len, pieces(LINES)[: len(members) - 1]))


def test_all_that_stands_before_bytes_which_are_none_of_the_format_is_read(tmp_path, squeeze):
    path = tmp_path / "in"
    path.write_bytes(squeeze(LINES) + b"rubbish rubbish rubbish")

    with reading(path) as stream:
        content, error = read_all(stream)

    assert (content, error is not None) == (LINES, True)


def test_a_damaged_member_is_an_error(tmp_path, squeeze):
    path = tmp_path / "in"
    data = bytearray(squeeze(LINES))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)

    with reading(path) as stream:
        assert read_all(stream)[1] is not None


def test_an_error_stays_an_error_when_reading_is_tried_again(tmp_path, squeeze):
    path = tmp_path / "in"
    path.write_bytes(squeeze(LINES)[:-3])

    with reading(path) as stream:
        read_all(stream)
        with pytest.raises(SourceError):
            stream.read(10)


def test_frames_that_hold_no_data_are_skipped(tmp_path):
    skipped = b"\x52\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    path = tmp_path / "in.zst"
    path.write_bytes(skipped + zstd.compress(b"a\n") + skipped + zstd.compress(b"b\n") + skipped)

    with reading(path) as stream:
        assert read_all(stream) == (b"a\nb\n", None)


def test_zero_bytes_behind_the_last_gzip_member_are_padding(tmp_path):
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(b"a\n") + bytes(512))

    with reading(path) as stream:
        assert read_all(stream) == (b"a\n", None)


def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_read_in_small_pieces(
    tmp_path, squeeze
):
    path = tmp_path / "in"
    path.write_bytes(squeeze(bytes(20_000_000)))

    with reading(path) as stream:
        length = 0
        while piece := stream.read(1 << 17):
            assert len(piece) <= 1 << 17
            length += len(piece)

    assert length == 20_000_000


def test_seeking_beyond_the_end_of_a_compressed_file_is_an_error(tmp_path, squeeze):
    path = tmp_path / "in"
    path.write_bytes(squeeze(b"short"))

    with pytest.raises(SourceError, match="ended"), reading(path, 100):
        pass


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        FileStream(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: os.truncate(path, 10), "shrank"),
        (lambda path: path.unlink(), "replaced or deleted"),
        (lambda path: os.replace(path.with_name("other"), path), "replaced or deleted"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, change, told):
    path = tmp_path / "in"
    path.write_bytes(LINES)
    path.with_name("other").write_bytes(LINES)

    with reading(path) as stream:
        stream.read(100)
        change(path)
        with pytest.raises(SourceError, match=told):
            stream.read(100)


def test_a_file_that_grows_is_read_to_its_new_end(tmp_path):
    path = tmp_path / "in"
    path.write_bytes(b"a\n")

    with reading(path) as stream:
        assert stream.read(100) == b"a\n"
        with open(path, "ab") as file:
            file.write(b"b\n")
        assert stream.read(100) == b"b\n"


def test_a_check_of_a_beginning_tells_whether_it_is_there():
    def reader(data):
        parts = iter([data[at : at + 7] for at in range(0, len(data), 7)])
        return lambda size: next(parts, b"")[:size]

    assert crc_of(reader(LINES[:700]), 700) == zlib.crc32(LINES[:700])
    assert crc_of(reader(LINES[:699]), 700) is None
    assert crc_of(reader(b""), 0) == 0


def test_a_pipe_in_place_of_a_file_is_an_error_and_waits_for_nobody(tmp_path):
    os.mkfifo(tmp_path / "in")

    with pytest.raises(SourceError, match="no ordinary file"):
        FileStream(tmp_path / "in")
