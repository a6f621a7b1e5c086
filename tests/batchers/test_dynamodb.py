"""Gets, puts and deletes against a server that answers like DynamoDB."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import count

import boto3
import pytest
from asking import asked, everyone
from aws_doubles import Lazy, Recorded, ThrottledOnce
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from batchmill.batchers.aws import BackOff, Unprocessed
from batchmill.batchers.dynamodb import (
    DynamoDbGetBatcher,
    DynamoDbWriteBatcher,
    GetItem,
    WriteOperation,
)
from batchmill.options import Retry

numbers = count()


class Waits:
    """A back-off that waits in no time, and remembers how long it would have."""

    def __init__(self, max_attempts=4):
        self.waited = []
        retry = Retry(max_attempts=max_attempts, wait_min_s=1, wait_max_s=60, factor=2)
        self.back_off = BackOff(retry=retry, sleep=self.sleep, jitter=lambda: 0.5)

    async def sleep(self, seconds):
        self.waited.append(seconds)


@pytest.fixture
def table(dynamodb):
    """A new table with 150 items; its key has two attributes."""
    name = f"table-{next(numbers)}"
    kinds = {"id": "S", "n": "N"}
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"},
                   {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": t} for a, t in kinds.items()],
        BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    puts = [{"PutRequest": {"Item": item(n)}} for n in range(150)]
    for start in range(0, 150, 25):
        dynamodb.batch_write_item(RequestItems={name: puts[start : start + 25]})
    return name


def item(n, **more):
    return {"id": f"id {n}", "n": n, "square": n * n, **more}


def get(table, n):
    return GetItem(table_name=table, key={"id": f"id {n}", "n": n})


def put(table, n, **more):
    return WriteOperation(operation="PUT", table_name=table, data=item(n, **more))


def delete(table, n):
    return WriteOperation(operation="DELETE", table_name=table, data={"id": f"id {n}", "n": n})


def held(dynamodb, table, n):
    return dynamodb.get_item(TableName=table, Key=get(table, n).key).get("Item")


def test_each_key_gets_its_item_a_missing_one_none_and_a_doubled_one_two(dynamodb, table):
    client = Recorded(dynamodb)

    answers = asked(DynamoDbGetBatcher(client), [get(table, n) for n in (7, 3, 999, 7, 0)])

    assert answers == [item(7), item(3), None, item(7), item(0)]
    assert answers[0] is not answers[3]
    assert client.sizes("batch_get_item") == [4]


def test_no_call_has_more_keys_than_dynamodb_takes(dynamodb, table):
    client = Recorded(dynamodb)

    answers = asked(DynamoDbGetBatcher(client), [get(table, n) for n in range(150)])

    assert answers == [item(n) for n in range(150)]
    assert client.sizes("batch_get_item") == [100, 50]


def test_typed_values_work_as_well_and_numbers_are_equal_in_any_spelling(client_of, table):
    key = {"id": {"S": "id 7"}, "n": {"N": "7.00"}}
    batcher = DynamoDbGetBatcher(client_of("dynamodb"), consistent_read=True)

    first, second = asked(batcher, [GetItem(table_name=table, key=key)] * 2)

    assert first == second == {"id": {"S": "id 7"}, "n": {"N": "7"}, "square": {"N": "49"}}


def test_unprocessed_keys_are_asked_for_again_with_back_off(dynamodb, table):
    client, waits = Lazy(dynamodb, most=4), Waits()
    batcher = DynamoDbGetBatcher(client, back_off=waits.back_off)

    answers = asked(batcher, [get(table, n) for n in range(10)])

    assert answers == [item(n) for n in range(10)]
    assert client.sizes("batch_get_item") == [4, 4, 2]
    assert waits.waited == [0.5, 0.5]


def test_keys_that_stay_unprocessed_fail_and_no_others(dynamodb, table):
    class Stubborn(Lazy):
        """Does the first call in part, and then nothing more."""

        def batch_get_item(self, RequestItems):
            answer = super().batch_get_item(RequestItems)
            self.most = 0
            return answer

    waits = Waits(max_attempts=4)
    batcher = DynamoDbGetBatcher(Stubborn(dynamodb, most=4), back_off=waits.back_off)

    answers = asked(batcher, [get(table, n) for n in range(6)])

    assert answers[:4] == [item(n) for n in range(4)]
    assert [type(answer) for answer in answers[4:]] == [Unprocessed, Unprocessed]
    assert waits.waited == [0.5, 1.0, 2.0, 4.0]


def test_a_throttled_call_is_made_again(dynamodb, table):
    waits = Waits()
    batcher = DynamoDbGetBatcher(ThrottledOnce(dynamodb), back_off=waits.back_off)

    assert asked(batcher, [get(table, 1), get(table, 2)]) == [item(1), item(2)]
    assert waits.waited == [1.0]


def test_a_key_that_dynamodb_refuses_fails_alone(dynamodb, table):
    bad = [GetItem(table_name=table, key={"id": "no n"}), get("no-such-table", 1),
           GetItem(table_name=table, key={"id": "float", "n": 0.5})]  # fmt: skip

    answers = asked(DynamoDbGetBatcher(dynamodb), [get(table, 1), *bad, get(table, 2)])

    assert [answers[0], answers[-1]] == [item(1), item(2)]
    assert [type(answer).__name__ for answer in answers[1:-1]] == [
        "ClientError", "ResourceNotFoundException", "TypeError",
    ]  # fmt: skip


def test_a_service_that_is_down_is_asked_once_a_batch():
    nowhere = boto3.client(
        "dynamodb", endpoint_url="http://127.0.0.1:1", region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0}),
    )  # fmt: skip
    batcher = DynamoDbGetBatcher(nowhere)

    answers = asked(batcher, [GetItem(table_name="t", key={"id": {"S": f"{n}"}}) for n in range(9)])

    assert {type(answer) for answer in answers} == {EndpointConnectionError}
    assert batcher.stats().calls == 1


def test_puts_and_deletes_share_calls_of_at_most_25(dynamodb, table):
    client = Recorded(dynamodb)
    writes = [put(table, n, new=True) if n % 2 else delete(table, n) for n in range(60)]

    answers = asked(DynamoDbWriteBatcher(client), writes)

    assert answers == [None] * 60
    assert client.sizes("batch_write_item") == [25, 25, 10]
    assert held(dynamodb, table, 1) == item(1, new=True)
    assert held(dynamodb, table, 2) is None
    assert [name for name, _ in client.calls].count("describe_table") == 1


def test_operations_on_one_key_are_done_in_order(dynamodb, table):
    client = Recorded(dynamodb)
    writes = [put(table, 1, v="a"), delete(table, 2), put(table, 1, v="b"), put(table, 3, v="a"),
              put(table, 2, v="c"), delete(table, 3), put(table, 1, v="d")]  # fmt: skip

    answers = asked(DynamoDbWriteBatcher(client, keys={table: ["id", "n"]}), writes)

    assert answers == [None] * 7
    assert client.sizes("batch_write_item") == [3, 3, 1]
    assert [held(dynamodb, table, n) for n in (1, 2, 3)] == [item(1, v="d"), item(2, v="c"), None]


def test_unprocessed_writes_are_written_again_and_what_stays_so_fails(dynamodb, table):
    client, waits = Lazy(dynamodb, most=4), Waits(max_attempts=2)
    batcher = DynamoDbWriteBatcher(client, back_off=waits.back_off)

    async def scenario():
        first = await everyone(batcher, [put(table, n, new=1) for n in range(10)])
        client.most = 0
        return first + await everyone(batcher, [put(table, 11, new=1), delete(table, 12)])

    answers = asyncio.run(scenario())
    assert answers[:10] == [None] * 10
    assert [type(answer) for answer in answers[10:]] == [Unprocessed, Unprocessed]
    assert [held(dynamodb, table, n) for n in (9, 11, 12)] == [item(9, new=1), item(11), item(12)]


def test_a_write_that_dynamodb_refuses_fails_alone(dynamodb, table):
    bad = [
        WriteOperation(operation="PUT", table_name=table, data={"id": "no n"}),
        WriteOperation(operation="DROP", table_name=table, data={"id": "x", "n": 1}),
        put(table, 501, blob="x" * 500_000),
    ]

    answers = asked(DynamoDbWriteBatcher(dynamodb), [put(table, 500), *bad, delete(table, 5)])

    assert [answers[0], answers[-1]] == [None, None]
    assert all(isinstance(answer, Exception) for answer in answers[1:-1])
    assert held(dynamodb, table, 500) == item(500)
    assert held(dynamodb, table, 5) is None


def test_decimals_survive(dynamodb, table):
    price = Decimal("19.99")
    asked(DynamoDbWriteBatcher(dynamodb), [put(table, 1, price=price)])
    assert asked(DynamoDbGetBatcher(dynamodb), [get(table, 1)]) == [item(1, price=price)]
