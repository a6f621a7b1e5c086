"""What do the results say?"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

HERE = Path(__file__).parent
OFF_PERCENT = 1.0
MOST = 5  # lines of a list


def main(folder: Path = HERE) -> None:
    with open(folder / "checked.csv", newline="", encoding="utf-8") as file:
        flights = list(csv.DictReader(file))
    for line in [*distances(flights), *carriers(flights), *late(folder / "late.jsonl")]:
        print(line)


def distances(flights: list[dict[str, str]]) -> Iterator[str]:
    """How many distances are off, and the routes where they differ most."""
    off = sum(abs(float(each["off_percent"])) > OFF_PERCENT for each in flights)
    yield f"{off:,} of {len(flights):,} distances are more than {OFF_PERCENT:g} % off; the most:"
    routes = {(each["origin"], each["dest"]): each for each in flights}.values()
    for each in sorted(routes, key=lambda each: -abs(float(each["off_percent"])))[:MOST]:
        yield (f"  {each['origin']}-{each['dest']}: {each['distance']} miles, "
               f"on a sphere {each['great_circle']}")  # fmt: skip


def carriers(flights: list[dict[str, str]]) -> Iterator[str]:
    """Who loses most on the way; most make time up."""
    minutes = defaultdict(list)
    for each in flights:
        if each["lost_minutes"]:
            minutes[each["carrier"]].append(int(each["lost_minutes"]))
    yield "minutes lost on the way, on average:"
    for carrier in sorted(minutes, key=lambda name: -fmean(minutes[name]))[:MOST]:
        yield f"  {carrier}: {fmean(minutes[carrier]):+.1f} ({len(minutes[carrier]):,} flights)"


def late(path: Path) -> Iterable[str]:
    """How many of the flights that were simulated are probably late."""
    if not path.exists():
        return []
    chances = [json.loads(line)["late"] for line in path.open(encoding="utf-8")]
    probably = sum(chance > 0.5 for chance in chances)
    return [f"{probably:,} of {len(chances):,} simulated flights are probably late"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
