"""What goes in and what comes out: any reader with any writer."""

from __future__ import annotations

from ..protocols import Reader, Writer
from .items import ItemReader, ItemWriter
from .json_reader import JsonReader
from .json_writer import JsonWriter


class Coded:
    """A reader and a writer as one. Their functions are looked up here once, and not for every
    record."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.decode = reader.decode
        self.key_of = reader.key_of
        self.explain = reader.explain
        self.encode = writer.encode
        self.join = writer.join
        self.empty = writer.empty
        self.columns = writer.columns


def json_codec(reader: JsonReader | None = None) -> Coded:
    """Lines of JSON in, lines of JSON out."""
    return Coded(reader or JsonReader(), JsonWriter())


def item_codec(key: str | None = None) -> Coded:
    """Items in, results out."""
    return Coded(ItemReader(key), ItemWriter())
