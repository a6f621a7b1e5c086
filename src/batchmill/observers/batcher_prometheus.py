"""How does Prometheus learn what batchers do? It asks, and they tell what they have counted.

from prometheus_client import REGISTRY

metrics = BatcherMetrics()
metrics.watch("prices", batcher)
REGISTRY.register(metrics)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

from ..errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

try:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.registry import Collector
    from prometheus_client.utils import floatToGoString
except ImportError:
    raise MissingDependency("prometheus_client", "batcher metrics", "prometheus") from None

Metric = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Spread(Protocol):
    """How values are spread over buckets; see core.batch_stats.Distribution."""

    @property
    def bounds(self) -> Sequence[float]: ...
    @property
    def counts(self) -> Sequence[int]: ...
    @property
    def total(self) -> float: ...


class Stats(Protocol):
    """What is read of a batcher; see core.batch_stats.BatcherStats."""

    @property
    def waiting(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def items(self) -> int: ...
    @property
    def calls(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def released(self) -> Mapping[str, int]: ...
    @property
    def batch_size(self) -> Spread: ...
    @property
    def wait_s(self) -> Spread: ...
    @property
    def run_s(self) -> Spread: ...


class Batcher(Protocol):
    """Anything with the statistics of a batcher."""

    def stats(self) -> Stats: ...


COUNTERS = {
    "items": "Items that went out in batches",
    "calls": "Calls of process_batch",
    "failed": "Callers who got an exception of process_batch",
    "left": "Callers who had gone before their item went out",
    "refused": "Items refused because the queue was full",
}
GAUGES = {"waiting": "Items in the queue", "running": "Batches under way"}
HISTOGRAMS = {
    "batch_size": ("batch_size", "Items in a batch"),
    "wait_s": ("wait_seconds", "Time the oldest item of a batch waited"),
    "run_s": ("run_seconds", "Time a batch took"),
}


class BatcherMetrics(Collector):
    """A collector of prometheus_client. Costs a batcher nothing until it is asked.

    Every metric has the label `batcher`; `_batches_total` has `reason` as well. Batchers are not
    kept alive by being watched.
    """

    def __init__(self, prefix: str = "batchmill_batcher") -> None:
        self._prefix = prefix
        self._batchers: WeakValueDictionary[str, Batcher] = WeakValueDictionary()

    def watch(self, name: str, batcher: Batcher) -> None:
        """Report `batcher` under this name from now on, in place of another one of that name."""
        self._batchers[name] = batcher

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not ask the batchers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What the batchers have counted by now."""
        known = {name: batcher.stats() for name, batcher in sorted(self._batchers.items())}
        yield self._batches(known)
        for field, text in COUNTERS.items():
            yield self._simple(CounterMetricFamily, field, text, known)
        for field, text in GAUGES.items():
            yield self._simple(GaugeMetricFamily, field, text, known)
        for field in HISTOGRAMS:
            yield self._histogram(field, known)

    def _batches(self, known: Mapping[str, Stats]) -> Metric:
        labels = ("batcher", "reason")
        text = "Batches, by why they were released"
        family = CounterMetricFamily(f"{self._prefix}_batches", text, labels=labels)
        for name, stats in known.items():
            for reason, count in stats.released.items():
                family.add_metric((name, reason), count)
        return family

    def _simple(
        self,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
        field: str,
        text: str,
        known: Mapping[str, Stats],
    ) -> Metric:
        family = kind(f"{self._prefix}_{field}", text, labels=("batcher",))
        for name, stats in known.items():
            family.add_metric((name,), getattr(stats, field))
        return family

    def _histogram(self, field: str, known: Mapping[str, Stats]) -> Metric:
        unit, text = HISTOGRAMS[field]
        family = HistogramMetricFamily(f"{self._prefix}_{unit}", text, labels=("batcher",))
        for name, stats in known.items():
            spread: Spread = getattr(stats, field)
            family.add_metric((name,), list(_cumulated(spread)), sum_value=spread.total)
        return family


def _cumulated(spread: Spread) -> Iterator[tuple[str, float]]:
    """Prometheus counts in each bucket all that is below it as well."""
    below = 0
    for bound, count in zip((*spread.bounds, float("inf")), spread.counts, strict=True):
        below += count
        yield str(floatToGoString(bound)), below  # type: ignore[no-untyped-call]
