"""Do our own sources, sinks and observers keep the contracts?"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import zstandard

from batchmill.formats.encode import encode_value
from batchmill.protocols import Sink, Source
from batchmill.sinks.appended import AppendedFile, compressor_for
from batchmill.sources.iterable import JsonItemSource
from batchmill.sources.jsonl import JsonlFile
from batchmill.testing import SinkContract, SourceContract


def lines(count: int) -> bytes:
    return b"".join(b'{"id":%d,"text":"%s"}\n' % (n, b"x" * 400) for n in range(count))


class TestJsonlFile(SourceContract):
    def make(self, folder: Path, count: int) -> Source:
        path = folder / "in.jsonl"
        if not path.exists():
            path.write_bytes(lines(count))
        return JsonlFile(path)


class TestJsonlFileWithoutFinalNewline(SourceContract):
    def make(self, folder: Path, count: int) -> Source:
        path = folder / "in.jsonl"
        if not path.exists():
            path.write_bytes(lines(count)[:-1])
        return JsonlFile(path)


class TestGzippedJsonlFile(SourceContract):
    def make(self, folder: Path, count: int) -> Source:
        path = folder / "in.jsonl.gz"
        if not path.exists():
            path.write_bytes(gzip.compress(lines(count)))
        return JsonlFile(path)


class TestZstandardJsonlFile(SourceContract):
    def make(self, folder: Path, count: int) -> Source:
        path = folder / "in.jsonl.zst"
        if not path.exists():
            path.write_bytes(zstandard.compress(lines(count)))
        return JsonlFile(path)


class TestJsonItems(SourceContract):
    def make(self, folder: Path, count: int) -> Source:
        return JsonItemSource(({"id": n} for n in range(count)), encode_value)


class TestPlainSink(SinkContract):
    name = "out.jsonl"

    def make(self, folder: Path) -> Sink:
        path = folder / self.name
        return AppendedFile(path, compressor_for(path))

    def read(self, folder: Path) -> bytes:
        return (folder / self.name).read_bytes()


class TestGzippedSink(TestPlainSink):
    name = "out.jsonl.gz"

    def read(self, folder: Path) -> bytes:
        return gzip.decompress((folder / self.name).read_bytes())


class TestZstandardSink(TestPlainSink):
    name = "out.jsonl.zst"

    def read(self, folder: Path) -> bytes:
        packed = io.BytesIO((folder / self.name).read_bytes())
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        return reader.read()
