"""A name that is slightly wrong is answered with the right one."""

from __future__ import annotations

import pytest

from batchmill.tasks.nearest import did_you_mean, nearest

NAMES = ["concurrency", "rate", "ID_KEY"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("concurency", "concurrency"), ("RATE", "rate"), ("id_key", "ID_KEY"), ("zzz", None)],
)
def test_the_nearest_name_is_found_whatever_its_case(name, meant):
    assert nearest(name, NAMES) == meant


def test_where_nothing_is_near_all_names_are_told():
    assert did_you_mean("zzz", NAMES) == "known are: ID_KEY, concurrency, rate"
    assert did_you_mean("ratte", NAMES) == 'did you mean "rate"?'
