"""`batchmill run --dry-run`: could the job run, and what would it do?"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ..config.values import JobConfig
from ..errors import AlreadyRunning, ConfigError
from ..files.lock import holder_of
from ..launch import Launch, Manner
from ..ledger.next_run import NextRun, next_run
from ..protocols import Codec, Source
from ..records import Mark
from ..tasks.loading import load_task
from ..wiring.files import codec_of, settings_of, source_of
from ..wiring.outputs import sink_of
from .found import FoundJob, of_config
from .output import put_facts, put_json

_WORDS = {
    "start": "start afresh",
    "resume": "resume",
    "rebuild": "find progress again, and go on",
    "nothing": "call nothing",
}


def check_and_tell(config: JobConfig, given: Mapping[str, Any]) -> int:
    """Check configuration, task, paths, formats and the first record, and tell what a run would do.

    Writes nothing and calls nothing. Raises what a run would be refused with.
    """
    sys.dont_write_bytecode = True
    job = config.job
    restart, adopt = given["restart"], given["adopt"]
    Launch(job, Manner(restart, given["accept_changes"], adopt=adopt), ())
    found = of_config(job)
    sink_of(job)
    task = load_task(job.task, batch=job.batch_size is not None)
    first = _first_record(source_of(job), codec_of(job, task))
    plan = _plan(found, restart=restart, accept_changes=given["accept_changes"],
                 adopt=adopt or config.adopts)  # fmt: skip
    facts = {"task": task.name, "input": str(job.source), "output": str(job.sink),
             "first record": first, "a run would": plan}  # fmt: skip
    if given["as_json"]:
        put_json({"name": found.name, **facts})
    else:
        put_facts(f"{found.name}: everything is in order", list(facts.items()))
    return 0


def _plan(found: FoundJob, *, restart: bool, accept_changes: bool, adopt: bool) -> str:
    """What a run would do. Raises what it would be refused with."""
    holder = holder_of(found.paths.lock)
    if holder:
        raise AlreadyRunning(f"another run of this job is active: process {holder['pid']}",
                             hint="wait for it to end, or stop it")  # fmt: skip
    if restart:
        return "put the old output aside, and start afresh"
    plan = _next_run(found, accept_changes, adopt)
    if plan.error:
        raise plan.error
    return f"{_WORDS[plan.will]}: {plan.why}"


def _next_run(found: FoundJob, accept_changes: bool, adopt: bool) -> NextRun:
    job, source = found.job, found.source
    assert job is not None, "it was made from its configuration"
    assert source is not None, "a job has a source"
    with found.ledger() as ledger:
        return next_run(ledger, found.paths, source, settings_of(job), key=job.key,
                        retry_failed=job.retry_failed, accept_changes=accept_changes,
                        adopt=adopt)  # fmt: skip


def _first_record(source: Source, codec: Codec) -> str:
    """How the first record that is none but a blank line can be read."""
    for seq, raw in _records(source):
        try:
            codec.decode(raw)
        except Exception as error:
            explained = codec.explain(error, raw)
            if explained is None:
                continue
            raise ConfigError(
                f"the first record of {source.name}, seq {seq}, cannot be read: {explained}",
                hint="look at source.format, job.key and the annotation of the task's record",
            ) from None
        key = codec.key_of(raw)
        return f"seq {seq} can be read" + (f", its key is {key!r}" if key is not None else "")
    return "there is none: the input is empty"


def _records(source: Source) -> Iterator[tuple[int, Any]]:
    for block in source.blocks(Mark()):
        yield from enumerate(block.records, block.mark.seq)
