"""A run is told to end: politely, then with force; what is done by then is committed."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import pytest
from stage import Stage, after

from batchmill.engines.loop_slot import STUBBORN_S
from batchmill.errors import SystemicFailure, TaskHookFailed, TooManyFailures, Transient
from batchmill.flow.ticker import TICK_S
from batchmill.options import MIN_SAMPLE, Retry

LATE_S = 2 * TICK_S


class Status(Exception):
    """An HTTP answer."""

    def __init__(self, status):
        self.status = status


def interrupt(stage):
    stage.stop.on_signal(signal.SIGINT)


async def slow(record):
    await asyncio.sleep(10)
    return record


def always(error):
    async def task(record):
        raise error

    return task


# Signals.


def test_the_first_signal_lets_calls_in_flight_end_and_starts_no_other():
    stage = Stage(slow, range(100), concurrency=5).play(after(12, interrupt))

    assert sorted(stage.results) == list(range(10))
    assert len(stage.starts) == 10
    assert stage.ended_at == pytest.approx(20, abs=LATE_S)
    assert stage.stop.signal == signal.SIGINT


def test_the_second_signal_gives_calls_up_and_commits_what_is_done():
    def interrupt_again(stage):
        interrupt(stage)
        interrupt(stage)

    stage = Stage(slow, range(100), concurrency=5).play(after(12, interrupt_again))

    assert sorted(stage.results) == list(range(5))
    assert stage.letters == []
    assert stage.ended_at == pytest.approx(12, abs=LATE_S)


def test_calls_in_flight_have_only_the_grace_period_to_end():
    async def task(record):
        await asyncio.sleep(1 if record == 0 else 3600)
        return record

    stage = Stage(task, range(9), concurrency=3, grace_s=7).play(after(2, interrupt))

    assert stage.results == [0]
    assert stage.letters == []
    assert stage.ended_at == pytest.approx(9, abs=LATE_S)


def test_no_grace_at_all_is_a_grace_period_too():
    stage = Stage(slow, range(9), concurrency=3, grace_s=0).play(after(2, interrupt))

    assert stage.results == []
    assert stage.ended_at == pytest.approx(2, abs=LATE_S)


@pytest.mark.parametrize("at_s", [0, 0.0001, 0.5, 1, 5])
def test_a_signal_while_all_that_is_left_waits_for_its_next_attempt_ends_the_run(at_s):
    stage = Stage(always(Transient()), range(5), retry=Retry(wait_min_s=100, wait_max_s=100))
    stage.play(after(at_s, interrupt))

    assert stage.ended_at <= at_s + LATE_S
    assert stage.letters == []


def test_a_signal_while_the_pace_is_waited_for_ends_the_run():
    async def task(record):
        return record

    stage = Stage(task, range(5), rate="1/h").play(after(2, interrupt))

    assert stage.ended_at <= 2 + LATE_S


@pytest.mark.parametrize("turns", range(12))
def test_a_signal_is_heard_at_whatever_turn_of_the_loop_it_comes(turns):
    async def task(record):
        if record == 0:
            raise Transient
        return record

    async def interrupt_after_turns(stage):
        for _ in range(turns):
            await asyncio.sleep(0)
        interrupt(stage)

    stage = Stage(task, range(3), concurrency=2, retry=Retry(wait_min_s=1000, wait_max_s=1000),
                  grace_s=300)  # fmt: skip
    stage.play(interrupt_after_turns)

    assert stage.ended_at <= LATE_S


def test_a_signal_takes_back_what_was_given_out_and_not_started():
    async def task(record):
        if record > 3000:
            await asyncio.sleep(1)
        return record

    stage = Stage(task, range(10_000), concurrency=2).play(after(3.5, interrupt))

    assert max(start.seq for start in stage.starts) <= 3000 + 8
    assert stage.ended_at <= 4 + LATE_S


@pytest.mark.parametrize("timeout_s", [None, 1800])
def test_the_second_signal_ends_the_run_although_a_call_heeds_no_cancelling(timeout_s):
    async def task(record):
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(7200)
                return record

    stage = Stage(task, range(3), concurrency=1, timeout_s=timeout_s, horizon_s=300)
    stage.play(after(1, interrupt), after(2, interrupt))

    assert stage.ended_at <= 2 + STUBBORN_S + 2 * LATE_S


@pytest.mark.parametrize("hook", ["on_startup", "on_shutdown"])
def test_signals_end_a_run_whose_hook_hangs(hook):
    class Hanging:
        @staticmethod
        async def process_record(record):
            return record

    async def hang():
        await asyncio.sleep(7200)

    setattr(Hanging, hook, staticmethod(hang))
    stage = Stage(Hanging, range(3), horizon_s=300, grace_s=20)
    stage._task = Hanging()
    stage.play(after(1, interrupt), after(2, interrupt))

    assert stage.ended_at <= 60


# Limits of the job.


@pytest.mark.parametrize("limit", [0, 1, 5, 99, 100, 101])
def test_a_limit_ends_the_run_after_so_many_records(limit):
    async def task(record):
        return record

    stage = Stage(task, range(100), limit=limit).play()

    assert sorted(stage.results) == list(range(min(limit, 100)))
    assert stage.ended_at == 0


def test_retries_are_not_counted_by_the_limit_and_are_waited_for():
    async def task(record):
        if len(stage.starts_of(record)) < 3:
            raise Transient
        return record

    stage = Stage(task, range(100), limit=5, concurrency=2)
    stage.play()

    assert sorted(stage.results) == [0, 1, 2, 3, 4]


def test_a_job_whose_limit_is_all_of_its_records_has_none_left():
    async def task(record):
        return record

    stage = Stage(task, range(7), limit=7).play()

    assert stage.parts.feed.pending.exhausted


# Failures.


def test_a_run_ends_when_more_records_failed_than_are_allowed():
    async def task(record):
        await asyncio.sleep(1)
        if record % 2:
            raise ValueError
        return record

    stage = Stage(task, range(100), concurrency=1, max_failures=3).play()

    assert isinstance(stage.stop.error, TooManyFailures)
    assert stage.failed == [1, 3, 5, 7]
    assert stage.results == [0, 2, 4, 6]


def test_as_many_failures_as_are_allowed_do_not_end_the_run():
    async def task(record):
        if record in (3, 5, 7):
            raise ValueError
        return record

    stage = Stage(task, range(100), max_failures=3).play()

    assert stage.stop.error is None
    assert len(stage.results) == 97


def test_a_share_of_failures_means_nothing_before_a_minimum_of_outcomes():
    async def task(record):
        await asyncio.sleep(1)
        if record % 5 == 0:
            raise ValueError
        return record

    stage = Stage(task, range(1000), concurrency=1, max_failures="10%", systemic_after=0).play()

    assert isinstance(stage.stop.error, TooManyFailures)
    assert stage.store.counts.settled == MIN_SAMPLE + 1


def test_calls_in_flight_end_when_too_many_failed():
    async def task(record):
        await asyncio.sleep(record)
        if record == 1:
            raise ValueError
        return record

    stage = Stage(task, range(9), concurrency=4, max_failures=0).play()

    assert sorted(stage.results) == [0, 2, 3, 4]


# A broken setting.


def test_a_run_whose_first_records_all_fail_alike_writes_nothing():
    async def task(record):
        await asyncio.sleep(0.1)
        raise KeyError(record)

    stage = Stage(task, range(1000), concurrency=7, systemic_after=20).play()

    assert isinstance(stage.stop.error, SystemicFailure)
    assert stage.letters == []
    assert stage.store.counts.settled == 0
    assert len(stage.starts) <= 20 + 7


def test_nineteen_failures_and_a_success_are_bad_data_and_all_written():
    async def task(record):
        await asyncio.sleep(0.1)
        if record < 19:
            raise KeyError(record)
        return record

    stage = Stage(task, range(30), concurrency=1).play()

    assert stage.stop.error is None
    assert stage.failed == list(range(19))
    assert stage.results == list(range(19, 30))


def test_a_filtered_record_is_no_failure():
    async def task(record):
        await asyncio.sleep(0.1)
        if record == 10:
            return
        raise KeyError(record)

    stage = Stage(task, range(30), concurrency=1).play()

    assert stage.stop.error is None
    assert len(stage.failed) == 29


def test_failures_of_different_kinds_are_bad_data():
    async def task(record):
        raise (KeyError if record == 19 else ValueError)(record)

    stage = Stage(task, range(60), concurrency=1).play()

    assert stage.stop.error is None
    assert len(stage.failed) == 60


def test_a_service_that_refuses_access_three_times_running_ends_the_run():
    async def task(record):
        await asyncio.sleep(0.1)
        if record >= 50:
            raise Status(401 if record % 2 else 403)
        return record

    stage = Stage(task, range(100), concurrency=1).play()

    assert isinstance(stage.stop.error, SystemicFailure)
    assert stage.letters == []
    assert stage.results == list(range(50))


def test_access_refused_now_and_then_is_a_failure_like_any_other():
    async def task(record):
        await asyncio.sleep(0.1)
        if record % 3:
            raise Status(403)
        return record

    stage = Stage(task, range(30), concurrency=1).play()

    assert stage.stop.error is None
    assert len(stage.failed) == 20


def test_the_check_of_the_first_records_can_be_switched_off():
    stage = Stage(always(ValueError()), range(100), systemic_after=0).play()

    assert stage.stop.error is None
    assert len(stage.failed) == 100


def test_a_small_job_whose_records_all_fail_ends_with_as_many_dead_letters():
    stage = Stage(always(ValueError()), range(5)).play()

    assert stage.stop.error is None
    assert sorted(stage.failed) == [0, 1, 2, 3, 4]


def test_successes_that_are_not_settled_yet_count_against_the_alarm():
    async def task(record):
        if record == 0:
            return record
        raise KeyError(record)

    stage = Stage(task, range(60), concurrency=1).play()

    assert stage.stop.error is None
    assert len(stage.failed) == 59


# Hooks.


def hooked(**hooks):
    class Task:
        @staticmethod
        async def process_record(record):
            return record

    for name, hook in hooks.items():
        setattr(Task, name, staticmethod(hook))
    return Task()


def test_a_startup_that_fails_calls_no_record():
    async def on_startup():
        raise OSError("no database")

    ended = []
    stage = Stage(
        hooked(on_startup=on_startup, on_shutdown=lambda: ended.append(1)), range(5)
    ).play()

    assert isinstance(stage.error, TaskHookFailed)
    assert stage.results == []
    assert ended == [1]


def test_a_shutdown_that_fails_comes_after_the_last_commit():
    async def on_shutdown():
        raise OSError("connection lost")

    stage = Stage(hooked(on_shutdown=on_shutdown), range(5)).play()

    assert isinstance(stage.error, TaskHookFailed)
    assert stage.results == [0, 1, 2, 3, 4]


# Being cancelled by the caller.


class Cancelled(Stage):
    """A run in a program that cancels it `times` times, after `at_s` seconds."""

    def __init__(self, *args, at_s=12.5, times=1, **settings):
        super().__init__(*args, **settings)
        self.at_s = at_s
        self.times = times
        self.raised = None

    async def _play(self, others):
        run = asyncio.create_task(self.run())
        await asyncio.sleep(self.at_s)
        for _ in range(self.times):
            run.cancel()
            await asyncio.sleep(0)
        done, _ = await asyncio.wait([run], timeout=self._horizon_s)
        assert done, f"still running after {self.now():g} s"
        self.raised = asyncio.CancelledError if run.cancelled() else run.exception()


@pytest.mark.parametrize("timeout_s", [None, 1800])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_run_that_is_cancelled_commits_what_is_done_and_says_that_it_was(timeout_s, times):
    stage = Cancelled(slow, range(100), concurrency=5, timeout_s=timeout_s, times=times).play()

    assert stage.raised is asyncio.CancelledError
    assert sorted(stage.results) == [0, 1, 2, 3, 4]
    assert stage.letters == []
    assert stage.ended_at == pytest.approx(12.5, abs=LATE_S)


@pytest.mark.parametrize("timeout_s", [None, 1800])
def test_a_run_that_is_cancelled_calls_no_other_record_even_if_a_call_shrugs_it_off(timeout_s):
    async def task(record):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(10)
        return record

    stage = Cancelled(task, range(100), concurrency=5, timeout_s=timeout_s).play()

    assert stage.raised is asyncio.CancelledError
    assert len(stage.starts) == 10


@pytest.mark.parametrize("timeout_s", [None, 1800])
def test_the_task_is_shut_down_only_when_its_calls_have_ended(timeout_s):
    seen = []

    class Task:
        @staticmethod
        async def process_record(record):
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                seen.append("call ended")

        @staticmethod
        async def on_shutdown():
            seen.append("shut down")

    Cancelled(Task(), range(1), timeout_s=timeout_s).play()

    assert seen == ["call ended", "shut down"]


@pytest.mark.parametrize("timeout_s", [None, 1800])
def test_nothing_of_a_run_that_was_cancelled_is_left_running(timeout_s):
    stage = Cancelled(slow, range(100), concurrency=5, timeout_s=timeout_s)
    left = []

    async def look(stage):
        await Cancelled._play(stage, ())
        left.extend(asyncio.all_tasks() - {asyncio.current_task()})

    stage._play = lambda others: look(stage)
    stage.play()

    assert left == []


@pytest.mark.parametrize("timeout_s", [None, 1800])
def test_an_error_of_the_source_is_the_error_of_the_run_and_what_was_done_is_committed(timeout_s):
    def broken():
        yield from range(300)
        raise OSError("disk gone")

    async def task(record):
        await asyncio.sleep(0.01)
        return record

    stage = Stage(task, broken(), concurrency=4, timeout_s=timeout_s).play()

    assert "disk gone" in repr(stage.error or stage.stop.error)
    assert sorted(stage.results) == list(range(300))
