"""Write the ranges to count in: a line for each thousand numbers, and perhaps a poisoned one.

python make_input.py [--ranges N] [--poison]
"""

import argparse
import json
from pathlib import Path

STEP = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranges", type=int, default=2_000)
    parser.add_argument("--poison", action="store_true", help="one range kills who counts in it")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("ranges.jsonl"))
    options = parser.parse_args()
    ranges = [{"first": n * STEP, "last": (n + 1) * STEP - 1} for n in range(options.ranges)]
    if options.poison:
        ranges[len(ranges) // 2]["poison"] = True
    options.output.write_text("".join(f"{json.dumps(each)}\n" for each in ranges))


if __name__ == "__main__":
    main()
