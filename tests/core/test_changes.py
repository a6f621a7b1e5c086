"""Which settings that matter are not what they were?"""

from __future__ import annotations

from batchmill.core.changes import differences


def test_settings_that_are_the_same_do_not_differ():
    assert differences({"key": "id", "version": None}, {"version": None, "key": "id"}) == []


def test_every_difference_is_told_with_both_values():
    assert differences({"key": "id", "order": "input"}, {"key": None, "order": "completion"}) == [
        "key: was 'id', is None",
        "order: was 'input', is 'completion'",
    ]


def test_a_first_run_differs_from_nothing():
    assert differences({}, {"key": "id"}) == []


def test_a_setting_that_earlier_versions_did_not_have_is_no_difference():
    assert differences({"key": "id"}, {"key": "id", "new": 1}) == []
