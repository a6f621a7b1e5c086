"""The same without files: a loop over `batchmill.map`."""

from task import count

import batchmill


def primes_of(hundred: int) -> int:
    return count(hundred * 100, hundred * 100 + 99)


below = 0
for hundred, primes in enumerate(batchmill.map(primes_of, range(1_000), engine="process")):
    below += primes
    if hundred in (0, 9, 99, 999):
        print(f"{below:,} primes below {(hundred + 1) * 100:,}")
