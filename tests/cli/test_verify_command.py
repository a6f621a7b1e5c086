"""`batchmill verify` prints one line a check, and its exit code says whether all agree."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def ran(batchmill):
    batchmill("run", "job.toml")
    return batchmill


def verdicts(ended):
    return {line.split()[0] for line in ended.out.splitlines()}


def test_a_job_that_agrees(ran):
    ended = ran("verify", "job.toml")

    assert (0, {"agrees"}) == (ended.code, verdicts(ended))


def test_the_ledger_of_an_output_knows_its_input_and_key(ran):
    alone = ran("verify", "out.jsonl")

    assert (0, {"agrees"}) == (alone.code, verdicts(alone))
    assert "agrees   keys" in alone.out


def test_what_could_have_been_compared_and_was_not_is_an_error(ran, project):
    (project / "in.jsonl").rename(project / "moved.jsonl")

    alone = ran("verify", "out.jsonl")
    with_input = ran("verify", "out.jsonl", "--input", "moved.jsonl")

    assert (1, {"agrees", "skipped", "note"}) == (alone.code, verdicts(alone))
    assert "error: 1 of" in alone.err
    assert "--input" in alone.out
    assert (0, {"agrees"}) == (with_input.code, verdicts(with_input))


def test_a_difference_is_an_error(ran, project):
    output = project / "out.jsonl"
    output.write_bytes(output.read_bytes().replace(b"true", b"fals", 1))

    ended = ran("verify", "job.toml", "--json")

    found = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 1
    assert ["output"] == [each["check"] for each in found if each["verdict"] == "differs"]
    assert "error: 1 of" in ended.err


@pytest.mark.parametrize("target", ["job.toml", "out.jsonl"])
def test_a_ledger_that_is_none_is_a_difference(ran, project, target):
    (project / "out.ledger").write_bytes(b"nonsense" * 1000)

    ended = ran("verify", target)

    assert ended.code == 1
    assert ended.out.startswith("differs  ledger: ")


def test_without_a_ledger_there_is_nothing_to_verify(batchmill):
    assert batchmill("verify", "job.toml").code == 2
