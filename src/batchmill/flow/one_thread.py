"""Work that blocks, done in one thread, which keeps no interpreter from its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class OneThread(Executor):
    """Does what it is given in order, in a daemon thread.

    The interpreter waits for the threads of a ThreadPoolExecutor before anybody hears that it is
    ending, and takes no more work for them: a run in a thread could neither be told to stop nor
    commit. Nor may a thread begin by then, so this one is to be begun before.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the thread, if it has not begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._do_all, name=self._name, daemon=True)
            self._thread.start()

    def submit(self, call: Callable[P, T], /, *args: P.args, **named: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        self._work.put((done, lambda: call(*args, **named)))
        self.start()
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Let the thread end when it has done what it was given; `wait` for that."""
        self._work.put(None)
        if wait and self._thread is not None:
            self._thread.join()

    def _do_all(self) -> None:
        # A signal that this thread got would not wake a main thread that blocks.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        while (work := self._work.get()) is not None:
            done, call = work
            if done.set_running_or_notify_cancel():
                _do(done, call)


def _do(done: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except StopIteration as error:
        # A future of asyncio does not take it, and would never be done.
        unheard = RuntimeError("StopIteration was raised")
        unheard.__cause__ = error
        done.set_exception(unheard)
    except BaseException as error:
        done.set_exception(error)
    else:
        done.set_result(result)
