"""Messages sent to a server that answers like SQS."""

from __future__ import annotations

from itertools import count

import pytest
from asking import asked
from aws_doubles import Grumbling, Recorded

from batchmill.batchers.sqs import SendFailed, SqsSendBatcher, bytes_of
from batchmill.flow.batcher import ItemTooCostly

numbers = count()


@pytest.fixture
def sqs(client_of):
    return client_of("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName=f"queue-{next(numbers)}")["QueueUrl"]


def received(sqs, queue):
    """All messages in the queue."""
    messages = []
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        if "Messages" not in answer:
            return messages
        messages += answer["Messages"]


def test_every_message_arrives_once_and_every_caller_gets_its_id(sqs, queue):
    client = Recorded(sqs)

    sent = asked(SqsSendBatcher(queue, client), [f"message {n}" for n in range(25)])

    bodies = {message["MessageId"]: message["Body"] for message in received(sqs, queue)}
    assert [bodies[one["MessageId"]] for one in sent] == [f"message {n}" for n in range(25)]
    assert client.sizes("send_message_batch") == [10, 10, 5]


def test_a_message_may_have_attributes(sqs, queue):
    attributes = {"kind": {"DataType": "String", "StringValue": "greeting"}}
    message = {"MessageBody": "hello", "MessageAttributes": attributes}

    asked(SqsSendBatcher(queue, sqs), [message, "bare"])

    first, second = sorted(received(sqs, queue), key=lambda one: one["Body"], reverse=True)
    assert first["MessageAttributes"] == attributes
    assert second["Body"] == "bare"


def test_bytes_are_counted_as_sqs_does():
    attributes = {"kind": {"DataType": "String", "StringValue": "greeting"}}

    assert bytes_of("h\u00e9") == 3
    assert bytes_of({"MessageBody": "hello", "MessageAttributes": attributes}) == 5 + 4 + 6 + 8


def test_a_batch_is_no_larger_than_sqs_takes_and_what_is_larger_alone_fails_at_once(sqs, queue):
    client = Recorded(sqs)
    messages = ["a" * 400_000, "b" * 400_000, "c" * 400_000, "d" * 1_048_577]

    sent = asked(SqsSendBatcher(queue, client), messages)

    assert isinstance(sent.pop(), ItemTooCostly)
    assert all("MessageId" in one for one in sent)
    assert client.sizes("send_message_batch") == [2, 1]


def test_an_entry_that_failed_fails_its_own_message(sqs, queue):
    late = {"MessageBody": "late", "DelaySeconds": 100_000}

    first, failure, last = asked(SqsSendBatcher(queue, sqs), ["one", late, "three"])

    assert isinstance(failure, SendFailed)
    assert failure.code == "InvalidParameterValue"
    assert {message["Body"] for message in received(sqs, queue)} == {"one", "three"}
    assert first["MessageId"] != last["MessageId"]


def test_failures_of_the_service_are_told_apart_and_answers_matched_by_id(sqs, queue):
    sent = asked(SqsSendBatcher(queue, Grumbling(sqs)), [f"{n}" for n in range(6)])

    assert [type(one).__name__ for one in sent[::3]] == ["SendFailedForNow"] * 2
    bodies = {message["MessageId"]: message["Body"] for message in received(sqs, queue)}
    assert [bodies[sent[n]["MessageId"]] for n in (1, 2, 4, 5)] == ["1", "2", "4", "5"]


@pytest.fixture
def fifo(sqs):
    name = f"queue-{next(numbers)}.fifo"
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def test_a_message_that_makes_the_whole_call_fail_is_found(sqs, fifo):
    messages = [{"MessageBody": body, "MessageGroupId": "g"} for body in ("good", "bad", "better")]
    del messages[1]["MessageGroupId"]

    sent = asked(SqsSendBatcher(fifo, sqs), [*messages, {"Body": "no body"}])

    assert [isinstance(one, Exception) for one in sent] == [False, True, False, True]
    answer = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)
    assert [message["Body"] for message in answer["Messages"]] == ["good", "better"]


def test_a_fifo_queue_keeps_the_order_of_the_calls(sqs, fifo):
    messages = [{"MessageBody": f"{n:02}", "MessageGroupId": "g"} for n in range(25)]

    asked(SqsSendBatcher(fifo, sqs), messages)

    answer = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)
    assert [message["Body"] for message in answer["Messages"]] == [f"{n:02}" for n in range(10)]
