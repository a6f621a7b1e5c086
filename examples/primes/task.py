"""How many primes are there in a range? By trial division, as it keeps a core busy."""

import os
import signal
from dataclasses import dataclass
from math import isqrt


@dataclass
class Range:
    """Whole numbers, the last one included."""

    first: int
    last: int
    poison: bool = False


def process_record(record: Range) -> dict[str, int]:
    if record.poison:
        os.kill(os.getpid(), signal.SIGKILL)  # as a bug in a C library would, or a lack of memory
    return {"first": record.first, "last": record.last, "primes": count(record.first, record.last)}


def count(first: int, last: int) -> int:
    return sum(map(is_prime, range(first, last + 1)))


def is_prime(number: int) -> bool:
    if number < 4 or number % 2 == 0:
        return number in (2, 3)
    return all(number % divisor for divisor in range(3, isqrt(number) + 1, 2))
