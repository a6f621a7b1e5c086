"""A pydantic model as annotation, where pydantic is installed."""

from __future__ import annotations

import inspect

import pytest

from batchmill.errors import InvalidRecord
from batchmill.tasks.loading import load_task
from batchmill.tasks.typed import decoder_for

pydantic = pytest.importorskip("pydantic")


class Place(pydantic.BaseModel):
    lat: float


class Row(pydantic.BaseModel):
    ip: str
    places: tuple[Place, ...] = ()
    n: int = 0


def process_record(record: Row): ...


def refusal(raw) -> str:
    decoder = decoder_for(Row)
    with pytest.raises(pydantic.ValidationError) as caught:
        decoder.decode(raw)
    explained = decoder.explain(caught.value)
    assert isinstance(explained, InvalidRecord)
    return str(explained)


def test_a_model_is_the_records_type_and_is_read_in_rust():
    task = load_task(process_record)

    assert task.record_type is Row
    assert inspect.isbuiltin(decoder_for(Row).decode)
    assert decoder_for(Row).decode(b'{"ip": "a", "n": "5"}') == Row(ip="a", n=5)
    assert decoder_for(Row | None).decode(b"null") is None


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"{}", "field `ip`: Field required"),
        (b'{"ip": "a", "places": [{"lat": "x"}]}', "field `places[0].lat`: Input should be"),
        (b'{"n": []}', "field `ip`: Field required; field `n`: Input should be"),
        (b"[]", "Input should be an object"),
        (b'{"ip"', "Invalid JSON: EOF"),
    ],
)
def test_a_record_that_does_not_fit_is_told_by_its_fields(raw, says):
    assert refusal(raw).startswith(says)


def test_of_many_wrong_fields_a_few_are_named():
    raw = b'{"ip": "a", "places": [%s]}' % b",".join([b"{}"] * 9)

    assert refusal(raw).count("field `") == 5
    assert refusal(raw).endswith("and 4 more")
