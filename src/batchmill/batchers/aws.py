"""How are AWS's bulk operations called: in a thread, and again for what was left undone?

By boto3. Its clients may be shared by threads, and with one call for a whole batch a thread costs
nothing that can be measured; aioboto3 and aiobotocore are tied to a few versions of botocore, which
a service that uses boto3 elsewhere seldom has.
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..core.retry import wait_s
from ..errors import MissingDependency, Transient
from ..flow.batcher import AsyncBatcher
from ..options import Retry

try:
    import boto3  # type: ignore[import-untyped]
    from botocore import exceptions  # type: ignore[import-untyped]
except ImportError:
    raise MissingDependency("boto3", "an AWS batcher", "aws") from None

if TYPE_CHECKING:
    from typing import Unpack

    from ..flow.batcher import BatcherOptions

T = TypeVar("T")
S = TypeVar("S")

Requests = dict[str, Any]
"""What is asked of DynamoDB, by table."""

RETRY = Retry(max_attempts=8, wait_min_s=0.05, wait_max_s=5.0)

_THROTTLED = frozenset({
    "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
    "RequestThrottled", "ThrottledException", "Throttling", "TooManyRequestsException",
})  # fmt: skip

_NOT_ALLOWED = frozenset({
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
    "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
    "SignatureDoesNotMatch", "UnrecognizedClientException", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
})  # fmt: skip


class Unprocessed(Transient):
    """The service left this item undone each time it was asked; it may do it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """How to wait before asking again; `sleep` and `jitter` (from 0 to below 1) are for tests."""

    retry: Retry = RETRY
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    async def wait(self, attempt: int) -> None:
        """Wait as `retry` says after this attempt, from 1."""
        await self.sleep(wait_s(attempt, self.retry, self.jitter()))


class AwsBatcher(AsyncBatcher[T, S]):
    """Calls a client of boto3 in a thread (of `executor`, if there is one).

    A call that AWS refuses is made again with halves of the batch, until the item that it refuses
    is alone; where it is the service, the connection or the credentials that fail, everyone is told
    at once. boto3 has made its own retries by then.
    """

    def __init__(self, client: Any, **options: Unpack[BatcherOptions[T]]) -> None:
        super().__init__(**options)
        self._client = client

    async def process_batch(self, batch: list[T]) -> list[S | BaseException]:
        """A result, or an exception, for each item of the batch."""
        try:
            return await self._process(batch)
        except Exception as error:
            if not is_of_all(error):
                raise
            return [error] * len(batch)

    @abstractmethod
    async def _process(self, batch: list[T]) -> list[S | BaseException]:
        """What process_batch does, as long as AWS is there."""

    async def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        call = partial(getattr(self._client, operation), **parameters)
        answer: dict[str, Any] = await loop.run_in_executor(self.executor, call)
        return answer


async def until_done(
    call: Callable[[Requests], Awaitable[Requests]], requests: Requests, back_off: BackOff
) -> Requests:
    """Call with the requests, and with those that it gives back, until there are none.

    Waits in between. Returns what is left when `retry.max_attempts` calls running did nothing; a
    call that is throttled has done nothing.
    """
    in_vain = 0
    while requests and in_vain < back_off.retry.max_attempts:
        left = await _left_by(call, requests)
        in_vain = 0 if _count(left) < _count(requests) else in_vain + 1
        requests = left
        if requests and in_vain < back_off.retry.max_attempts:
            await back_off.wait(in_vain + 1)
    return requests


async def _left_by(call: Callable[[Requests], Awaitable[Requests]], requests: Requests) -> Requests:
    try:
        return await call(requests)
    except exceptions.ClientError as error:
        if code_of(error) not in _THROTTLED:
            raise
        return requests


def _count(requests: Requests) -> int:
    """How many items these are; DynamoDB has lists of writes, and lists of keys under "Keys"."""
    return sum(
        len(wanted["Keys"]) if isinstance(wanted, Mapping) else len(wanted)
        for wanted in requests.values()
    )


def code_of(error: Any) -> str:
    """The name that AWS gives the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_of_all(error: Exception) -> bool:
    """Whether no item is to blame, so that the same would happen to every half of the batch."""
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or code_of(error) in _THROTTLED | _NOT_ALLOWED
    if isinstance(error, exceptions.ParamValidationError):
        return False
    return isinstance(error, (OSError, exceptions.BotoCoreError))


def dynamodb_client() -> Any:
    """A client, by what the environment says, that takes and gives Python's own types."""
    return boto3.resource("dynamodb").meta.client


def sqs_client() -> Any:
    """A client, by what the environment says."""
    return boto3.client("sqs")
