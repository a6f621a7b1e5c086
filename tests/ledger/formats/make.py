"""Makes the jobs of `formats/N`, with the batchmill that writes ledgers of format N.

    python make.py N

Each folder holds a source, an output, an errors file and a ledger, as a run of that version left
them: `complete`, `interrupted` (by its limit), `killed` (with a log that was never checkpointed)
and `rerun` (a record waits to be run again). They were made once, and the tests copy them.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from batchmill import Job, run

HERE = Path(__file__).parent
RECORDS = 60


def process(record):
    """Every seventh fails, every fifth is filtered, every eleventh has a list of results."""
    n = record["n"]
    if n % 7 == 3 and not os.environ.get("MENDED"):
        raise ValueError(f"{n} is bad")
    if n % 5 == 4:
        return None
    return [{"id": record["id"], "part": part} for part in range(n % 3)] if n % 11 == 1 else record


async def slow(record):
    """The same, but for one record that never comes back."""
    if record["n"] == 20:
        await asyncio.sleep(3600)
    if record["n"] == 40:
        await asyncio.sleep(1.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return process(record)


def lines():
    for n in range(RECORDS):
        yield f'{{"id":"r{n}","n":{n}}}\n'
        if n % 10 == 5:
            yield "\n"


def job(**more):
    fields = {
        "source": "in.jsonl",
        "sink": "out.jsonl",
        "task": process,
        "key": "id",
        "systemic_after": 0,
        "order": "completion",
    }
    return Job(**(fields | more))


def complete():
    run(job())


def interrupted():
    run(job(limit=25))


def killed():
    subprocess.run([sys.executable, __file__, "slow"], check=False)


def rerun():
    run(job())
    task = Path("task.py")
    task.write_text("def process_record(record):\n    raise RuntimeError('down')\n")
    command = [
        "rerun",
        "task.py",
        "--key",
        "r0",
        "--input",
        "in.jsonl",
        "--output",
        "out.jsonl",
        "--progress",
        "none",
    ]
    subprocess.run([Path(sys.executable).with_name("batchmill"), *command], check=False)
    task.unlink()


def main(number):
    for make in (complete, interrupted, killed, rerun):
        folder = HERE / number / make.__name__
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with contextlib.chdir(folder):
            Path("in.jsonl").write_text("".join(lines()))
            make()
            for left in Path().glob("*.lock"):
                left.unlink()


if __name__ == "__main__":
    if sys.argv[1] == "slow":
        run(job(task=slow, concurrency=8, commit_every_s=0.05))
    else:
        main(sys.argv[1])
