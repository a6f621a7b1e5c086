"""Items of DynamoDB: single gets, puts and deletes in, BatchGetItem and BatchWriteItem out.

    get = DynamoDbGetBatcher()
    user = await get.process(GetItem(table_name="users", key={"id": "7"}))

The items are those of the client: of Python's own types with the default, which is
`boto3.resource("dynamodb").meta.client`, or typed as {"S": "7"} with `boto3.client("dynamodb")`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from .aws import AwsBatcher, BackOff, Requests, Unprocessed, dynamodb_client, until_done
from .waves import waves

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from ..flow.batcher import BatcherOptions

MAX_GETS = 100
"""Keys in one BatchGetItem."""

MAX_WRITES = 25
"""Puts and deletes in one BatchWriteItem."""

Item = Mapping[str, Any]


@dataclass(kw_only=True)
class GetItem:
    """The item of a table with this key."""

    table_name: str
    key: Item


@dataclass(kw_only=True)
class WriteOperation:
    """An item to put, or the key of one to delete."""

    operation: Literal["PUT", "DELETE"]
    table_name: str
    data: Item


class DynamoDbGetBatcher(AwsBatcher[GetItem, dict[str, Any] | None]):
    """`process(GetItem(...))` gives the item with this key, or None if there is none.

    A key that is asked for twice in a batch is asked of DynamoDB once and answered twice, each time
    with a dict of its own. `UnprocessedKeys` are asked for again as `back_off` says; keys that
    stay unprocessed fail with Unprocessed, and no others.
    """

    def __init__(
        self,
        client: Any = None,
        *,
        consistent_read: bool = False,
        back_off: BackOff | None = None,
        **options: Unpack[BatcherOptions[GetItem]],
    ) -> None:
        options.setdefault("max_batch_size", MAX_GETS)
        super().__init__(client or dynamodb_client(), **options)
        self._consistent_read = consistent_read
        self._back_off = back_off or BackOff()

    async def _process(self, batch: list[GetItem]) -> list[Any]:
        found: dict[Hashable, Item] = {}
        names = [name_of(item.table_name, item.key) for item in batch]

        async def get(requests: Requests) -> Requests:
            answer = await self._call("batch_get_item", RequestItems=requests)
            found.update(_named(requests, answer["Responses"]))
            return answer.get("UnprocessedKeys") or {}

        left = await until_done(get, self._requests(batch, names), self._back_off)
        undone = {name_of(table, key) for table in left for key in left[table]["Keys"]}
        return [_answer(name, found, undone) for name in names]

    def _requests(self, batch: list[GetItem], names: list[Hashable]) -> Requests:
        requests: Requests = {}
        for item in dict(zip(names, batch, strict=True)).values():
            wanted = requests.setdefault(item.table_name, {"Keys": []})
            wanted["Keys"].append(item.key)
            if self._consistent_read:
                wanted["ConsistentRead"] = True
        return requests


def _named(
    requests: Requests, answers: Mapping[str, list[Item]]
) -> Iterable[tuple[Hashable, Item]]:
    """The items with their names. All keys of a table have the same attributes."""
    for table, items in answers.items():
        attributes = list(requests[table]["Keys"][0])
        for item in items:
            yield name_of(table, {attribute: item[attribute] for attribute in attributes}), item


def _answer(name: Hashable, found: dict[Hashable, Item], undone: set[Hashable]) -> Any:
    if name in undone:
        return Unprocessed("DynamoDB left the key unprocessed")
    return dict(found[name]) if name in found else None


class DynamoDbWriteBatcher(AwsBatcher[WriteOperation, None]):
    """`process(WriteOperation(...))` puts or deletes an item; the result is None.

    Operations on the same key that share a batch are done in order, in calls of their own, as
    DynamoDB takes a key once in a call. `UnprocessedItems` are written again as `back_off` says;
    operations that stay unprocessed fail with Unprocessed, and no others.

    `keys` says which attributes are the key of a table, such as {"users": ["id"]}; what it does not
    say is asked of DescribeTable, once.
    """

    def __init__(
        self,
        client: Any = None,
        *,
        keys: Mapping[str, Iterable[str]] | None = None,
        back_off: BackOff | None = None,
        **options: Unpack[BatcherOptions[WriteOperation]],
    ) -> None:
        options.setdefault("max_batch_size", MAX_WRITES)
        super().__init__(client or dynamodb_client(), **options)
        self._keys = {table: list(attributes) for table, attributes in (keys or {}).items()}
        self._back_off = back_off or BackOff()

    async def _process(self, batch: list[WriteOperation]) -> list[Any]:
        for table in {operation.table_name for operation in batch} - set(self._keys):
            self._keys[table] = await self._key_of(table)
        names = {place: self._name(operation) for place, operation in enumerate(batch)}
        undone: set[int] = set()
        for wave in waves(names):
            left = await self._write([batch[place] for place in wave])
            undone.update(place for place in wave if names[place] in left)
        return [
            Unprocessed("DynamoDB left the operation unprocessed") if place in undone else None
            for place in names
        ]

    async def _key_of(self, table: str) -> list[str]:
        answer = await self._call("describe_table", TableName=table)
        return [part["AttributeName"] for part in answer["Table"]["KeySchema"]]

    def _name(self, operation: WriteOperation) -> Hashable:
        return self._name_of(operation.table_name, operation.data)

    def _name_of(self, table: str, data: Item) -> Hashable:
        key = {attribute: data[attribute] for attribute in self._keys[table] if attribute in data}
        return name_of(table, key)

    async def _write(self, operations: Iterable[WriteOperation]) -> set[Hashable]:
        """Returns the names of what was left unwritten."""
        requests: Requests = {}
        for operation in operations:
            requests.setdefault(operation.table_name, []).append(_request(operation))

        async def write(requests: Requests) -> Requests:
            answer = await self._call("batch_write_item", RequestItems=requests)
            return answer.get("UnprocessedItems") or {}

        left = await until_done(write, requests, self._back_off)
        return {self._name_of(table, _data(request)) for table in left for request in left[table]}


def _request(operation: WriteOperation) -> dict[str, Any]:
    if operation.operation == "PUT":
        return {"PutRequest": {"Item": operation.data}}
    if operation.operation == "DELETE":
        return {"DeleteRequest": {"Key": operation.data}}
    raise ValueError(f'operation = {operation.operation!r} is neither "PUT" nor "DELETE"')


def _data(request: Mapping[str, Any]) -> Item:
    put: Mapping[str, Item] | None = request.get("PutRequest")
    data: Item = request["DeleteRequest"]["Key"] if put is None else put["Item"]
    return data


def name_of(table: str, key: Item) -> Hashable:
    """What is equal for equal keys, in whichever way they are written."""
    return table, frozenset((attribute, _plain(value)) for attribute, value in key.items())


def _plain(value: Any) -> Hashable:
    if isinstance(value, Mapping):  # {"N": "7.0"}
        return tuple((kind, Decimal(v) if kind == "N" else v) for kind, v in value.items())
    plain: Hashable = value
    return plain
