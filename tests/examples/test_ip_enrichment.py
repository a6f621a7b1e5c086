"""The example: its service, its task, its input, and the whole demonstration."""

import asyncio
import importlib.util
import ipaddress
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "ip_enrichment"
SAMPLE = [f"{a}.{b}.8.8" for a in range(11, 100) for b in range(0, 250, 10)]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ip_enrichment_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


task, troubles = _load("task"), _load("troubles")


@contextmanager
def service(*options: str) -> Iterator[str]:
    command = [sys.executable, str(EXAMPLE / "server.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def ask(url: str, *paths: str) -> list[tuple[int, dict[str, str], Any]]:
    """Status, headers and body of each path, one after the other."""

    async def talk() -> list[tuple[int, dict[str, str], Any]]:
        async with aiohttp.ClientSession(url) as session:
            return [await _one(session, path) for path in paths]

    return asyncio.run(talk())


async def _one(session: aiohttp.ClientSession, path: str) -> tuple[int, dict[str, str], Any]:
    async with session.get(path) as response:
        return response.status, dict(response.headers), await response.json()


def process(url: str, record: dict[str, Any]) -> dict[str, Any] | None:
    """What the task makes of a record."""

    async def talk() -> dict[str, Any] | None:
        async with aiohttp.ClientSession() as session:
            context = await task.on_startup() | {"session": session}
            return await task.process_record(record, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEO_URL", url)
        return asyncio.run(talk())


def test_an_address_is_answered_with_its_country_and_its_network() -> None:
    with service() as url:
        [(status, _, body)] = ask(url, "/json/8.8.8.8")

    assert status == 200
    assert body == {
        "status": "success",
        "country": "United States",
        "countryCode": "US",
        "isp": "GOOGLE",
        "query": "8.8.8.8",
    }


def test_an_address_that_nobody_can_place_is_refused_with_a_reason() -> None:
    addresses = ["10.0.0.1", "127.0.0.1", "224.0.0.1", "somewhere"]

    with service() as url:
        answers = ask(url, *(f"/json/{ip}" for ip in addresses))

    assert [status for status, _, _ in answers] == [200] * 4
    assert [body["status"] for _, _, body in answers] == ["fail"] * 4
    reasons = [body["message"] for _, _, body in answers]
    assert reasons == ["private range", "reserved range", "reserved range", "invalid query"]


def test_calls_beyond_the_limit_are_told_when_to_come_back_in_seconds_and_as_a_date() -> None:
    with service("--limit", "1", "--window-s", "60") as url:
        answers = ask(url, *["/json/8.8.8.8"] * 3)

    assert [status for status, _, _ in answers] == [200, 429, 429]
    seconds, date = answers[1][1]["Retry-After"], answers[2][1]["Retry-After"]
    assert 50 <= int(seconds) <= 60
    wait = parsedate_to_datetime(date) - parsedate_to_datetime(answers[2][1]["Date"])
    assert 50 <= wait.total_seconds() <= 62


def test_a_window_takes_calls_again_when_its_time_is_over() -> None:
    window = troubles.RateWindow(limit=2, window_s=10.0)

    waits = [window.take(now) for now in (100.0, 101.0, 104.0, 109.5, 110.0, 111.0, 112.0)]

    assert waits == [0.0, 0.0, 6.0, 0.5, 0.0, 0.0, 8.0]


def test_a_failing_address_fails_as_often_at_every_start_and_then_succeeds() -> None:
    once, twice = (next(ip for ip in SAMPLE if troubles.failures(ip) == n) for n in (1, 2))
    paths = [f"/json/{ip}" for ip in (once, once, twice, twice, twice)]

    for _ in range(2):
        with service() as url:
            statuses = [status for status, _, _ in ask(url, *paths)]

        assert statuses == [500, 200, 500, 503, 200]


def test_few_addresses_fail_few_are_slow_and_none_is_both() -> None:
    failing = [ip for ip in SAMPLE if troubles.failures(ip)]
    slow = {ip: troubles.delay_s(ip) for ip in SAMPLE if troubles.delay_s(ip)}

    assert 0.01 <= len(failing) / len(SAMPLE) <= 0.03
    assert 0.01 <= len(slow) / len(SAMPLE) <= 0.03
    assert not set(failing) & set(slow)
    assert 0.5 <= min(slow.values()) <= max(slow.values()) <= 1.0


def test_the_service_keeps_books_of_what_it_answered_and_to_whom() -> None:
    paths = ["/json/8.8.8.8", "/json/10.0.0.1", "/json/8.8.8.8", "/stats", "/stats/ips"]

    with service("--limit", "2", "--window-s", "60") as url:
        *_, (_, _, totals), (_, _, by_ip) = ask(url, *paths)

    assert totals == {"calls": 3, "success": 1, "fail": 1, "rate_limited": 1}
    assert by_ip == {"8.8.8.8": {"success": 1, "rate_limited": 1}, "10.0.0.1": {"fail": 1}}


def test_the_service_ends_when_it_is_told_to() -> None:
    with service() as url:
        assert url.startswith("http://127.0.0.1:")

    with pytest.raises(aiohttp.ClientConnectionError):
        ask(url, "/stats")


def test_the_task_adds_country_and_network_and_keeps_the_rest() -> None:
    with service() as url:
        result = process(url, {"ip": "8.8.8.8", "source": "Google DNS"})

    expected = {
        "ip": "8.8.8.8",
        "source": "Google DNS",
        "country": "United States",
        "isp": "GOOGLE",
    }
    assert result == expected
    assert list(result) == list(expected)


def test_the_task_fails_a_record_whose_address_is_refused() -> None:
    with service() as url, pytest.raises(LookupError, match="private range"):
        process(url, {"ip": "10.0.0.1"})


def test_the_task_lets_a_failing_answer_through_with_status_and_headers() -> None:
    with service("--limit", "0") as url, pytest.raises(aiohttp.ClientResponseError) as caught:
        process(url, {"ip": "8.8.8.8"})

    assert caught.value.status == 429
    assert "Retry-After" in caught.value.headers


def test_the_input_is_the_same_every_time_public_but_for_its_bad_rows() -> None:
    first, second = _input_lines(), _input_lines()
    rows = [json.loads(line) for line in first if line.endswith("}")]
    addresses = [row["ip"] for row in rows if "ip" in row]
    public = [ip for ip in addresses if ipaddress.ip_address(ip).is_global]

    assert first == second
    assert len(public) == len(set(public)) == 4_000
    assert len(addresses) - len(public) == 5
    assert len(first) - len(addresses) == 2


def _input_lines() -> list[str]:
    command = [sys.executable, str(EXAMPLE / "make_input.py")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_the_demonstration_proves_its_claims(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE / "demo.py"), "--dir", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert len((tmp_path / "ips_enriched.jsonl").read_text().splitlines()) == 4_000
