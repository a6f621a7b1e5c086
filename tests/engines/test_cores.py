"""How many cores a process may use, by affinity and by the quota of its container."""

from __future__ import annotations

import os

import pytest

from batchmill.engines.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def version_2(folder, text):
    (folder / "cpu.max").write_text(text)
    return folder


def version_1(folder, quota, period):
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


def test_without_a_container_all_cores_of_the_affinity_are_usable(tmp_path):
    assert 8 == usable_cores(tmp_path)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000\n", 8), ("200000 100000\n", 2), ("150000 100000\n", 2), ("10000 100000\n", 1),
     ("3200000 100000\n", 8), ("", 8), ("nonsense\n", 8), ("5 0\n", 8), ("-1 100000\n", 8)],
)  # fmt: skip
def test_the_quota_of_version_2(tmp_path, text, cores):
    assert cores == usable_cores(version_2(tmp_path, text))


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [("-1\n", "100000\n", 8), ("200000\n", "100000\n", 2), ("50000\n", "100000\n", 1),
     ("250000\n", "100000\n", 3), ("\n", "100000\n", 8), ("100000\n", "0\n", 8)],
)  # fmt: skip
def test_the_quota_of_version_1(tmp_path, quota, period, cores):
    assert cores == usable_cores(version_1(tmp_path, quota, period))


def test_where_there_is_no_affinity_all_cores_count(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)

    assert 3 == usable_cores(tmp_path)


def test_there_is_always_one(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    assert 1 == usable_cores(tmp_path)
