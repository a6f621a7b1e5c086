"""Lines of text as records."""

from __future__ import annotations

import json

import pytest

from batchmill import Job, run
from batchmill.errors import ConfigError
from batchmill.sources.text import TextFiles
from batchmill.testing import SourceContract


def told(line):
    return {"line": line}


def go(path, content, **options):
    path.write_bytes(content)
    output = path.with_name("out.jsonl")
    report = run(Job(source=path, task=told, sink=output, order="input", **options))
    return report, [json.loads(line)["line"] for line in output.read_text().splitlines()]


@pytest.mark.parametrize("name", ["in.txt", "in.log"])
def test_a_record_is_a_line_without_its_end(tmp_path, name):
    report, lines = go(tmp_path / name, b'\xef\xbb\xbf a "x",\xc3\xa9 \r\n\n   \n{\nlast')

    assert lines == [' a "x",é ', "{", "last"]
    assert (report.read, report.failed) == (3, 0)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-8-sig", "utf-32"])
def test_encodings_are_read(tmp_path, encoding):
    text = "é\n" * 500

    report, lines = go(tmp_path / "in.txt", text.encode(encoding),
                       source_options={"encoding": encoding})  # fmt: skip

    assert lines == text.split()
    assert report.failed == 0


def test_bytes_that_are_not_the_encoding_are_a_dead_letter(tmp_path):
    report, lines = go(tmp_path / "in.txt", b"caf\xe9\nx\n")

    assert lines == ["x"]
    assert report.failed == 1


@pytest.mark.parametrize(("options", "said"), [
    ({"key": "id"}, "job.key"), ({"source_options": {"delimiter": ","}}, "delimiter"),
    ({"source_options": {"encoding": "x"}}, "encoding"),
])  # fmt: skip
def test_what_means_nothing_for_text_is_refused(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        go(tmp_path / "in.txt", b"x\n", **options)


class TestTextFile(SourceContract):
    def make(self, folder, count):
        path = folder / "in.txt"
        path.write_bytes(b"".join(b"line %d\n" % n for n in range(count)))
        return TextFiles([path], max_record_bytes=100)
