"""The example: flights in CSV, checked on every core."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import start

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
FLIGHTS = 5_000
MORE_AIRPORTS = """\
faa,lat,lon
BQN,18.4949,-67.1294
PSE,18.0083,-66.5630
SJU,18.4394,-66.0018
STT,18.3373,-64.9734
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example with its input, as a user has it after `python prepare.py`."""
    folder = tmp_path_factory.mktemp("flights")
    for name in ("job.toml", "simulate.toml", "prepare.py", "simulate.py", "summary.py", "task.py"):
        shutil.copy(EXAMPLE / name, folder)
    python(folder, "prepare.py", folder)
    with open(folder / "flights.csv") as whole:
        lines = [next(whole) for _ in range(FLIGHTS + 1)]
    (folder / "flights.csv").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def checked(folder):
    """What `batchmill run` ends with, and then, with more airports, `batchmill retry`."""
    codes = [batchmill("run", folder / "job.toml")]
    letters = (folder / "checked.errors.jsonl").read_text().splitlines()
    (folder / "more_airports.csv").write_text(MORE_AIRPORTS)
    codes.append(batchmill("retry", folder / "job.toml"))
    with open(folder / "checked.csv", newline="") as file:
        return codes, [json.loads(line) for line in letters], list(csv.DictReader(file))


def batchmill(*words):
    process = start(*words, "--progress", "none", stdout=subprocess.DEVNULL)
    return process.wait(timeout=60)


def python(folder, *words):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_flight_to_an_airport_that_is_not_known_is_a_dead_letter_until_it_is(checked):
    (first, second), letters, rows = checked

    assert (first, second) == (3, 0)
    told = {letter["error"]["message"].split()[1] for letter in letters}
    assert told == {"SJU", "BQN", "STT", "PSE"}
    assert len(letters) == len([row for row in rows if row["dest"] in told])


def test_distances_are_those_between_the_airports(checked):
    _, _, rows = checked

    [far] = {(row["distance"], row["great_circle"]) for row in rows
             if (row["origin"], row["dest"]) == ("JFK", "LAX")}  # fmt: skip
    assert far == ("2475", "2469.5")
    assert max(abs(float(row["off_percent"])) for row in rows) < 1


def test_flights_that_did_not_leave_are_left_out_and_those_that_landed_elsewhere_have_no_delay(
    folder, checked
):
    _, _, rows = checked

    with open(folder / "flights.csv", newline="") as file:
        flights = list(csv.DictReader(file))
    left = [each for each in flights if each["dep_delay"] != "NA"]
    landed = [each for each in left if each["arr_delay"] != "NA"]
    assert len(rows) == len(left) < len(flights)
    assert len([row for row in rows if row["lost_minutes"]]) == len(landed) < len(left)


def test_the_simulation_goes_on_where_it_ended_and_gives_the_same_whoever_calls(folder):
    job = folder / "simulate.toml"
    codes = [batchmill("run", job, "--limit", limit) for limit in (50, 100)]
    again = folder / "again.jsonl"
    codes.append(batchmill("run", job, "--limit", 150, "--engine", "thread", "--output", again))

    assert codes == [4, 4, 4]
    assert again.read_bytes() == (folder / "late.jsonl").read_bytes()
    chances = [json.loads(line)["late"] for line in again.read_text().splitlines()]
    assert (min(chances), max(chances)) == (0, 1)


def test_the_summary_says_what_was_found(folder, checked):
    _, _, rows = checked

    told = python(folder, "summary.py").splitlines()

    assert told[0].startswith(f"0 of {len(rows):,} distances are more than 1 % off")
    assert "minutes lost on the way, on average:" in told
