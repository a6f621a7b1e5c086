"""What is checked of one flight: its distance, and how its delay grew on the way.

A cell of this file is a number or NA, and the annotations say so: "11" comes as 11, "NA" as "NA",
and anything else is a dead letter that names the field.
"""

import csv
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Literal

from prepare import package_data

EARTH_MILES = 3958.7613  # mean radius, IUGG
MORE_AIRPORTS = Path(__file__).with_name("more_airports.csv")

Minutes = int | Literal["NA"]
Place = tuple[float, float]
Result = dict[str, str | int | float | None]


@dataclass(slots=True)
class Flight:
    """The columns that are wanted; the others are left out while a row is decoded."""

    time_hour: str
    carrier: str
    flight: int
    origin: str
    dest: str
    distance: int
    dep_delay: Minutes
    arr_delay: Minutes
    air_time: Minutes


def on_startup() -> dict[str, dict[str, Place]]:
    """Runs once in every worker: the tables are not sent with the records."""
    tables = [package_data() / "airports.csv", MORE_AIRPORTS]
    rows = [row for table in tables if table.exists() for row in rows_of(table)]
    return {"airports": {row["faa"]: (float(row["lat"]), float(row["lon"])) for row in rows}}


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def process_record(record: Flight, context: dict[str, dict[str, Place]]) -> Result | None:
    if isinstance(record.dep_delay, str):
        return None  # NA, it was cancelled: settled, and not in the output
    airports = context["airports"]
    circle = miles(place(airports, record.origin), place(airports, record.dest))
    return {
        "time_hour": record.time_hour,
        "carrier": record.carrier,
        "flight": record.flight,
        "origin": record.origin,
        "dest": record.dest,
        "distance": record.distance,
        "great_circle": round(circle, 1),
        "off_percent": round(100 * (record.distance / circle - 1), 2),
        "lost_minutes": lost_minutes(record),
    }


def place(airports: dict[str, Place], code: str) -> Place:
    """Raises LookupError, which makes the flight a dead letter, if the airport is not known."""
    if code not in airports:
        raise LookupError(f"airport {code} is not in the table")
    return airports[code]


def miles(here: Place, there: Place) -> float:
    """The great-circle distance in statute miles, by the haversine formula."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, each)) for each in (here, there))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_MILES * asin(sqrt(half))


def lost_minutes(flight: Flight) -> int | None:
    """How much later it arrived than it left; None, an empty cell, if it landed elsewhere."""
    if isinstance(flight.arr_delay, str) or isinstance(flight.dep_delay, str):
        return None
    return flight.arr_delay - flight.dep_delay
