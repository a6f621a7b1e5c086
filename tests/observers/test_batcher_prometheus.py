from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

from batchmill.flow.batcher import AsyncBatcher
from virtual_loop import run_virtually

prometheus_client = pytest.importorskip("prometheus_client")

from batchmill.observers.batcher_prometheus import BatcherMetrics  # noqa: E402


class Slow(AsyncBatcher[int, int]):
    async def process_batch(self, batch):
        await asyncio.sleep(0.3)
        return batch


async def used() -> Slow:
    batcher = Slow(max_batch_size=3, max_queue_time=0.02)
    await asyncio.gather(*[batcher.process(n) for n in range(5)])
    batcher.submit(5).cancel()
    await asyncio.sleep(1)
    return batcher


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry()


def test_it_tells_what_the_batcher_counted(registry):
    batcher = run_virtually(used())
    metrics = BatcherMetrics()
    metrics.watch("prices", batcher)
    registry.register(metrics)

    def value(name, **labels):
        return registry.get_sample_value(
            f"batchmill_batcher_{name}", {"batcher": "prices", **labels}
        )

    assert value("items_total") == 5
    assert value("batches_total", reason="size") == 1
    assert value("batches_total", reason="time") == 1
    assert value("left_total") == 1
    assert value("waiting") == 0
    assert value("running") == 0
    assert value("batch_size_count") == 2
    assert value("batch_size_sum") == 5
    assert value("batch_size_bucket", le="2.0") == 1
    assert value("batch_size_bucket", le="4.0") == 2
    assert value("run_seconds_bucket", le="0.25") == 0
    assert value("run_seconds_bucket", le="+Inf") == 2


def test_the_page_it_serves_is_well_formed(registry):
    from prometheus_client.parser import text_string_to_metric_families

    batcher = run_virtually(used())
    metrics = BatcherMetrics(prefix="shop")
    metrics.watch("prices", batcher)
    metrics.watch("stocks", batcher)
    registry.register(metrics)

    page = prometheus_client.generate_latest(registry).decode()

    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert families["shop_run_seconds"].type == "histogram"
    assert {sample.labels["batcher"] for sample in families["shop_items"].samples} == {
        "prices",
        "stocks",
    }


def test_a_batcher_is_not_kept_alive_by_being_watched(registry):
    metrics = BatcherMetrics()
    metrics.watch("prices", run_virtually(used()))
    registry.register(metrics)
    gc.collect()

    assert registry.get_sample_value("batchmill_batcher_items_total", {"batcher": "prices"}) is None


def test_without_prometheus_client_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import batchmill.observers.batcher_prometheus"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install" in run.stderr
    assert "prometheus" in run.stderr
