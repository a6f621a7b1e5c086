"""Small jobs on disk, run for real, for tests of what they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from batchmill import Job, run
from batchmill.core.job_state import JobState
from batchmill.formats.json_reader import JsonReader
from batchmill.ledger.sealed import put
from batchmill.paths import JobPaths
from batchmill.sources.jsonl import JsonlFile

KEY_OF = JsonReader(key="id").key_of


async def by_kind(record):
    """Succeeds, fails or filters as the record says."""
    await asyncio.sleep(0)
    kind = record.get("kind")
    if kind == "bad":
        raise ValueError(f"record {record['id']} is bad")
    if kind == "list":
        return [{"id": record["id"], "part": n} for n in range(3)]
    return None if kind == "none" else {"id": record["id"], "done": True}


def write(folder: Path, *records: object) -> Path:
    path = folder / "in.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


def some_records() -> list[dict]:
    kinds = ["good", "good", "bad", "none", "list"]
    return [{"id": n, "kind": kinds[n % 5]} for n in range(50)]


def job(folder: Path, **fields) -> Job:
    sink = fields.pop("sink", folder / "out.jsonl")
    given = {"source": folder / "in.jsonl", "task": by_kind, "sink": sink, "key": "id"}
    return Job(**given | {"systemic_after": 0} | fields)


def done(folder: Path, **fields) -> JobPaths:
    """Run a job over some records to its end."""
    write(folder, *some_records())
    made = job(folder, **fields)
    run(made)
    return JobPaths.of(made.sink)


def source_of(folder: Path) -> JsonlFile:
    return JsonlFile(folder / "in.jsonl")


def tamper(ledger: Path, statement: str, *values: object) -> None:
    """Change a ledger behind batchmill's back."""
    with sqlite3.connect(ledger) as db:
        db.execute(statement, values)
    db.close()


def mistaken(ledger: Path, change: Callable[[JobState], object]) -> None:
    """Have a ledger say something else, as a mistake in batchmill would: with a right checksum."""
    with closing(sqlite3.connect(ledger)) as db, db:
        _, number, epoch, data, _ = db.execute("SELECT * FROM job").fetchone()
        state = JobState.decoded(data)
        change(state)
        put(db, "job", [(1, number, epoch, state.encoded())])


_KILLED = """
import os, signal, sys
from pathlib import Path
from batchmill import Job, run
from small_jobs import by_kind, job

import batchmill.ledger.file_store as store
commit = store.FileStore.commit

def commit_and_die(self, found):
    commit(self, found)
    if self.counts.settled >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

store.FileStore.commit = commit_and_die
run(job(Path(sys.argv[1]), commit_every_s=0, concurrency=1, rate="1000/s"))
"""


def killed(folder: Path, after: int) -> JobPaths:
    """Run a job in a process of its own that kills itself after a commit with so many settled."""
    write(folder, *some_records())
    here = str(Path(__file__).parent)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([here, *filter(None, sys.path)])}
    command = [sys.executable, "-c", _KILLED, str(folder), str(after)]
    ended = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return JobPaths.of(folder / "out.jsonl")
