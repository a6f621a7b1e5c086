"""What can a caller of a batcher be told in place of a result?"""

from __future__ import annotations

from ..errors import BatchmillError


class QueueFullException(BatchmillError):
    """As many items wait as `max_queue_size` allows."""


class BatcherStopped(BatchmillError, RuntimeError):
    """The batcher is stopping or has stopped, so this item is not answered."""


class WrongLoop(BatchmillError, RuntimeError):
    """The batcher serves another event loop, or there is none here."""


class ItemTooCostly(BatchmillError, ValueError):
    """The item does not fit in any batch, or its cost is not a number of 0 or more."""


class WrongResults(BatchmillError, ValueError):
    """process_batch did not return one result for each item."""


class BatchFailed(BatchmillError, RuntimeError):
    """The batch ended with what must not be raised in a caller as it is: `__cause__` says what.

    That is a CancelledError, a StopIteration, or an exception that is not an Exception.
    """
