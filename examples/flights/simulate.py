"""How likely is a flight to be late, if its way is drawn 2,000 times? About 2 ms a flight.

The draws begin with the flight itself, so a call that is made again, after a kill or on another
machine, gives the same answer.
"""

import zlib
from collections.abc import Iterator
from itertools import islice

from task import Flight, Result

DRAWS = 2_000
LATE_MINUTES = 15  # what the US Department of Transportation calls late
SPREAD = 0.1  # standard deviation of the time in the air, as a share of it


def process_record(record: Flight) -> Result | None:
    if isinstance(record.dep_delay, str) or isinstance(record.air_time, str):
        return None
    seed = f"{record.time_hour} {record.carrier}{record.flight} {record.origin}"
    delays = islice(arrivals(record.dep_delay, record.air_time, seed), DRAWS)
    late = sum(delay > LATE_MINUTES for delay in delays)
    return {
        "time_hour": record.time_hour,
        "carrier": record.carrier,
        "flight": record.flight,
        "origin": record.origin,
        "dest": record.dest,
        "late": late / DRAWS,
    }


def arrivals(delay: int, air_time: int, seed: str) -> Iterator[float]:
    """Minutes of delay on arrival, one draw after the other, without end."""
    numbers = uniform(zlib.crc32(seed.encode()))
    while True:
        # Twelve of them, less six, are close to a normal distribution.
        yield delay + air_time * SPREAD * (sum(islice(numbers, 12)) - 6)


def uniform(state: int) -> Iterator[float]:
    """Numbers from 0 to 1: a linear congruential generator, Numerical Recipes' constants."""
    while True:
        state = (1_664_525 * state + 1_013_904_223) & 0xFFFFFFFF
        yield state / 0x100000000
