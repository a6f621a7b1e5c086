"""The contracts of the extension points as test classes, for implementations of your own, too.

    from batchmill.testing import SourceContract

    class TestMySource(SourceContract):
        def make(self, folder, count):
            return MySource(...)          # of `count` records, the same ones every time

pytest finds the tests that the class inherits.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .events import Noted, Progressed, RunEnded, RunStarted
from .protocols import Observer, Sink, Source
from .records import Mark
from .report import Report

__all__ = ["ObserverContract", "SinkContract", "SourceContract"]


class SourceContract:
    """What every source promises. Override `make`."""

    def make(self, folder: Path, count: int) -> Source:
        """A source of `count` records, none of them blank; the same ones whenever it is made."""
        raise NotImplementedError

    def test_it_gives_the_same_records_in_the_same_order_again(self, tmp_path: Path) -> None:
        first = _records(self.make(tmp_path, 1000), Mark())
        again = _records(self.make(tmp_path, 1000), Mark())

        assert first == again
        assert [seq for seq, _ in first] == list(range(1000))

    def test_blocks_are_not_empty_and_each_begins_where_the_last_one_ended(
        self, tmp_path: Path
    ) -> None:
        mark = Mark()

        for block in self.make(tmp_path, 1000).blocks(mark):
            assert block.records
            assert block.mark == mark
            assert block.end.seq == mark.seq + len(block.records)
            mark = block.end

    def test_reading_goes_on_from_every_mark(self, tmp_path: Path) -> None:
        every = _records(self.make(tmp_path, 1000), Mark())
        marks = [block.end for block in self.make(tmp_path, 1000).blocks(Mark())]

        for mark in marks:
            rest = _records(self.make(tmp_path, 1000), mark)
            assert rest == every[mark.seq :]

    def test_what_was_read_still_holds(self, tmp_path: Path) -> None:
        marks = [block.end for block in self.make(tmp_path, 1000).blocks(Mark())]

        assert all(self.make(tmp_path, 1000).holds(mark) for mark in marks)

    def test_an_empty_source_has_no_block(self, tmp_path: Path) -> None:
        assert list(self.make(tmp_path, 0).blocks(Mark())) == []

    def test_the_fraction_read_is_between_nothing_and_all(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, 1000)

        for block in source.blocks(Mark()):
            fraction = source.fraction(block.end)
            assert fraction is None or 0 <= fraction <= 1


class SinkContract:
    """What every sink that is a file promises. Override `make` and `read`."""

    def make(self, folder: Path) -> Sink:
        """A sink in this folder; the same one whenever it is made."""
        raise NotImplementedError

    def read(self, folder: Path) -> bytes:
        """The results that stand in the sink, as they were before compression."""
        raise NotImplementedError

    def rows(self, number: int) -> Sequence[Any]:
        """The chunks of one commit."""
        return [b'{"commit":%d}\n' % number, b'{"row":2}\n']

    def test_what_was_appended_is_there_in_order(self, tmp_path: Path) -> None:
        sink = self.make(tmp_path)
        sink.open(0, 0)
        regions = [sink.append(self.rows(number)) for number in range(3)]
        sink.close()

        assert self.read(tmp_path) == b"".join(b"".join(self.rows(n)) for n in range(3))
        assert [region.start for region in regions][1:] == [
            region.start + region.length for region in regions
        ][:-1]

    def test_the_crc_is_that_of_all_bytes_up_to_the_end_of_the_region(self, tmp_path: Path) -> None:
        sink = self.make(tmp_path)
        sink.open(0, 0)
        for number in range(3):
            region = sink.append(self.rows(number))
        sink.close()

        everything = Path(sink.name).read_bytes()
        assert len(everything) == region.start + region.length
        assert zlib.crc32(everything) == region.crc

    def test_opening_cuts_off_what_lies_behind_the_committed_end(self, tmp_path: Path) -> None:
        sink = self.make(tmp_path)
        sink.open(0, 0)
        committed = sink.append(self.rows(0))
        lost = sink.append(self.rows(1))
        sink.close()

        again = self.make(tmp_path)
        cut = again.open(committed.start + committed.length, committed.crc)
        again.append(self.rows(2))
        again.close()

        assert cut == lost.length
        assert self.read(tmp_path) == b"".join([*self.rows(0), *self.rows(2)])

    def test_a_commit_without_results_adds_nothing(self, tmp_path: Path) -> None:
        sink = self.make(tmp_path)
        sink.open(0, 0)
        region = sink.append([])
        sink.close()

        assert region.length == 0


class ObserverContract:
    """What every observer promises: it takes in a run's events in order. Override `make`."""

    def make(self) -> Observer:
        raise NotImplementedError

    def test_it_takes_in_the_events_of_a_run(self) -> None:
        observer = self.make()
        report = Report("completed", "job", 1, 1, 0, 0, 0, 0)

        observer.on_event(RunStarted("job", 1, 0, 0, 50, "async"))
        observer.on_event(Noted("cut 12 uncommitted bytes off out.jsonl"))
        observer.on_event(Progressed(elapsed_s=0.0))
        observer.on_event(Progressed(elapsed_s=2.5, fraction=0.5, rate_per_s=10.0, eta_s=2.5))
        observer.on_event(RunEnded(report))


def _records(source: Source, mark: Mark) -> list[tuple[int, Any]]:
    return [
        pair for block in source.blocks(mark) for pair in enumerate(block.records, block.mark.seq)
    ]
