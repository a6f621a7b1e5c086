"""Messages for an SQS queue: single sends in, SendMessageBatch out.

send = SqsSendBatcher(queue_url)
sent = await send.process("hello")
sent["MessageId"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Transient
from .aws import AwsBatcher, sqs_client

if TYPE_CHECKING:
    from typing import Unpack

    from ..flow.batcher import BatcherOptions

MAX_MESSAGES = 10
"""Messages in one SendMessageBatch."""

MAX_BYTES = 1_048_576
"""Bytes of all messages in one SendMessageBatch, attributes included. Queues of other makes, and of
AWS before 2025, take 262,144: `max_batch_cost` says so."""

Message = str | Mapping[str, Any]
"""A body, or what SendMessageBatch takes for a message: MessageBody, MessageAttributes,
DelaySeconds, MessageGroupId, MessageDeduplicationId and so on."""


class SendFailed(Exception):
    """SQS took the batch but not this message; `code` is its name for the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class SendFailedForNow(SendFailed, Transient):
    """SQS did not take this message for a reason of its own; it may later."""


class SqsSendBatcher(AwsBatcher[Message, dict[str, Any]]):
    """`process(message)` sends it; the result is what SQS says of it (MessageId, SequenceNumber).

    An entry under `Failed` fails the message that it is for with SendFailed, and no other. One that
    is too large for any batch fails at once with ItemTooCostly.
    With the default `concurrency` of 1 messages leave in the order in which they came, which a FIFO
    queue keeps.
    """

    def __init__(
        self,
        queue_url: str,
        client: Any = None,
        **options: Unpack[BatcherOptions[Message]],
    ) -> None:
        options.setdefault("max_batch_size", MAX_MESSAGES)
        options.setdefault("max_batch_cost", MAX_BYTES)
        options.setdefault("cost", bytes_of)
        super().__init__(client or sqs_client(), **options)
        self._queue_url = queue_url

    async def _process(self, batch: list[Message]) -> list[Any]:
        entries = [_entry(message) | {"Id": str(n)} for n, message in enumerate(batch)]
        answer = await self._call("send_message_batch", QueueUrl=self._queue_url, Entries=entries)
        told: dict[str, Any] = {sent["Id"]: sent for sent in answer.get("Successful", ())}
        told |= {failed["Id"]: _failure(failed) for failed in answer.get("Failed", ())}
        return [told[entry["Id"]] for entry in entries]


def bytes_of(message: Message) -> int:
    """What SQS counts: the body, and the names, types and values of the attributes, in UTF-8."""
    entry = _entry(message)
    attributes: Mapping[str, Mapping[str, Any]] = entry.get("MessageAttributes", {})
    return _size(entry["MessageBody"]) + sum(
        _size(name) + sum(map(_size, attribute.values())) for name, attribute in attributes.items()
    )


def _size(value: str | bytes) -> int:
    return len(value.encode() if isinstance(value, str) else value)


def _entry(message: Message) -> dict[str, Any]:
    return {"MessageBody": message} if isinstance(message, str) else dict(message)


def _failure(entry: Mapping[str, Any]) -> SendFailed:
    kind = SendFailed if entry.get("SenderFault") else SendFailedForNow
    return kind(entry["Code"], entry.get("Message", ""))
