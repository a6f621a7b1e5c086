"""Clients of boto3 that remember their calls, or serve badly."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


class Recorded:
    """Remembers the calls and what they asked for."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.calls.append((name, parameters))
            return getattr(self.client, name)(**parameters)

        return call

    def sizes(self, name: str) -> list[int]:
        """How many items each call of this operation had."""
        return [_items(parameters) for called, parameters in self.calls if called == name]


def _items(parameters: dict[str, Any]) -> int:
    if "Entries" in parameters:
        return len(parameters["Entries"])
    tables = parameters["RequestItems"].values()
    return sum(len(asked["Keys"] if isinstance(asked, dict) else asked) for asked in tables)


class Lazy(Recorded):
    """Does at most `most` of what a call asks of a table and leaves the rest, as DynamoDB may."""

    def __init__(self, client: Any, most: int) -> None:
        super().__init__(client)
        self.most = most

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = RequestItems.items()
        done, left = wanted["Keys"][: self.most], wanted["Keys"][self.most :]
        answer: dict[str, Any] = {"Responses": {table: []}}
        if done:
            answer = self.__getattr__("batch_get_item")(RequestItems={table: {"Keys": done}})
        return answer | {"UnprocessedKeys": {table: {"Keys": left}} if left else {}}

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, wanted),) = RequestItems.items()
        done, left = wanted[: self.most], wanted[self.most :]
        if done:
            self.__getattr__("batch_write_item")(RequestItems={table: done})
        return {"UnprocessedItems": {table: left} if left else {}}


class ThrottledOnce(Recorded):
    """Refuses the first call."""

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:
        if not self.calls:
            self.calls.append(("refused", {}))
            code = "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code}}, "BatchGetItem")
        return self.__getattr__("batch_get_item")(RequestItems=RequestItems)


class Grumbling(Recorded):
    """Says of every third message that SQS itself failed, and of the others in reverse order."""

    def send_message_batch(self, **parameters: Any) -> dict[str, Any]:
        sent = self.__getattr__("send_message_batch")(**parameters)["Successful"]
        failed = [{"Id": one["Id"], "SenderFault": False, "Code": "InternalError"} for one in sent]
        good = [one for n, one in enumerate(sent) if n % 3]
        return {"Successful": good[::-1], "Failed": failed[::3]}
