"""What can go wrong, by name: errors that stop a run, and errors that belong to one record."""

from __future__ import annotations


class BatchmillError(Exception):
    """The base of every error that stops a run. `hint` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class ConfigError(BatchmillError):
    """The job as written cannot run. Raised before anything is opened or written."""

    exit_code = 2


class MissingDependency(ConfigError):
    """A feature needs a package that is not installed."""

    def __init__(self, package: str, feature: str, extra: str | None = None) -> None:
        what = f'"batchmill[{extra}]"' if extra else package
        super().__init__(f"{feature} needs {package}", hint=f"pip install {what}")


class SourceError(BatchmillError):
    """The source cannot be read: missing, cut short, or changed while it was being read."""


class Changed(BatchmillError):
    """Source, output or settings differ from what the ledger knows; going on could lose rows."""

    exit_code = 2


class LedgerError(BatchmillError):
    """The ledger is damaged, or was written by a newer version of batchmill."""

    exit_code = 2


class AlreadyRunning(BatchmillError):
    """Another process runs this job now."""

    exit_code = 75


class Fenced(BatchmillError):
    """Another run took this job over; this one may no longer commit."""


class CommitFailed(BatchmillError):
    """Results could not be made durable. What the last commit held stands; the next run goes on."""


class TooManyFailures(BatchmillError):
    """`max_failures` was passed."""


class SystemicFailure(BatchmillError):
    """The first records, or three authentications running, failed alike: a broken setting. Or many
    records running failed for a cause outside of them: a broken service."""


class QuotaExhausted(BatchmillError):
    """The service says that no credit or quota is left. What it answered so stays pending."""


class ServiceBusy(BatchmillError):
    """The service has answered for 15 minutes that it is called too fast, and nothing else."""


class TaskHookFailed(BatchmillError):
    """`on_startup` or `on_shutdown` raised; the cause is attached as `__cause__`."""


class RecordError(Exception):
    """The base of the failures that batchmill itself finds in one record."""


class InvalidRecord(RecordError):
    """The bytes are not a record of the source's format, or do not fit the annotation."""


class RecordTooLarge(RecordError):
    """The record is longer than `max_record_bytes`."""


class MissingKey(RecordError):
    """The record has no usable value under the job's `key`."""


class UnencodableResult(RecordError):
    """The result holds a value that the sink's format cannot carry."""


class WrongResult(RecordError):
    """The task returned something that is neither a result, a list of results, nor None."""


class TimedOut(RecordError):
    """One attempt took longer than `timeout_s`."""


class WorkerDied(RecordError):
    """The worker process that held this record died."""


class Transient(Exception):
    """Raise it in a task to say: try this record again, with back-off."""


class Permanent(Exception):
    """Raise it in a task to say: trying this record again is of no use."""


class RetryAfter(Transient):
    """Raise it in a task to say: the service asks everyone to wait `wait_s` seconds."""

    def __init__(self, wait_s: float, message: str = "") -> None:
        super().__init__(message or f"the service asks to wait {wait_s:g} s")
        self.retry_after_s = wait_s
