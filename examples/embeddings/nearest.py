"""Which texts are nearest to another one?

python nearest.py "wait until a thread has ended"
"""

import json
import sys
from pathlib import Path

import numpy as np
from task import on_startup

MOST = 5


def main(question: str) -> None:
    path = Path(__file__).with_name("vectors.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    vectors = np.array([row["vector"] for row in rows])
    [wanted] = on_startup()["model"].embed([question], norm=True)
    likeness = vectors @ wanted  # the cosine, as all of them have length 1
    for at in np.argsort(-likeness)[:MOST]:
        print(f"{likeness[at]:.3f}  {rows[at]['name']}: {rows[at]['text'][:80]}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "wait until a thread has ended")
