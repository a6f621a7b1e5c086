"""A record is converted to what the task's annotation asks for, and a misfit names its field."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
import pytest

from batchmill.errors import ConfigError, InvalidRecord, MissingDependency
from batchmill.tasks.loading import load_task
from batchmill.tasks.typed import decoder_for


@dataclass
class Place:
    lat: float
    names: list[str]


@dataclass
class AsDataclass:
    ip: str
    place: Place | None = None
    n: int = 0


class AsTypedDict(TypedDict):
    ip: str


class AsStruct(msgspec.Struct):
    ip: str


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str


class Unreadable(msgspec.Struct):
    thing: AsDataclass | AsStruct


def refusal(record_type, raw) -> str:
    decoder = decoder_for(record_type)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the decoder raises
        decoder.decode(raw)
    explained = decoder.explain(caught.value)
    assert isinstance(explained, InvalidRecord)
    return str(explained)


# Which annotations count


@pytest.mark.parametrize(
    "annotation",
    [AsDataclass, AsTypedDict, AsStruct, Cat | Dog, AsStruct | None, Annotated[AsStruct, "x"]],
)
def test_the_annotation_of_the_record_is_its_type(annotation):
    def process_record(record, context): ...

    process_record.__annotations__["record"] = annotation

    assert load_task(process_record).record_type is annotation


@pytest.mark.parametrize("annotation", [dict, dict[str, Any], Any, str, int | AsStruct, list[int]])
def test_other_annotations_leave_the_record_as_it_is(annotation):
    def process_record(record): ...

    process_record.__annotations__["record"] = annotation

    assert load_task(process_record).record_type is None


def takes_a_list(records: list[AsStruct], context): ...


def takes_a_sequence(records: Sequence[AsStruct]): ...


def takes_a_quoted_list(records: list["AsStruct"]): ...  # noqa: UP037 - as users write it


def takes_anything(records): ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (takes_a_list, AsStruct),
        (takes_a_sequence, AsStruct),
        (takes_a_quoted_list, AsStruct),
        (takes_anything, None),
    ],
)
def test_the_records_of_a_batch_have_the_type_of_the_lists_elements(function, expected):
    assert load_task(function, batch=True).record_type is expected


def test_the_first_parameter_counts_and_not_its_name(write):
    path = write(
        "task.py",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        import msgspec
        if TYPE_CHECKING:
            from collections.abc import Mapping
            from somewhere import Context

        class Row(msgspec.Struct):
            ip: str

        async def process_record(row: Row, context: Context) -> dict | None: ...
        def other(record: Mapping[str, object]): ...
        class Called:
            def __call__(self, row: "Row"): ...
        called = Called()
        """,
    )

    assert load_task(path).record_type.__name__ == "Row"
    assert load_task(f"{path}:other").record_type is None
    assert load_task(f"{path}:called").record_type.__name__ == "Row"


def test_a_type_that_only_type_checkers_see_is_refused_with_the_remedy(write):
    path = write(
        "task.py",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from models import Row

        def process_record(record: Row): ...
        """,
    )

    with pytest.raises(ConfigError) as caught:
        load_task(path)

    assert "Row" in caught.value.message
    assert "not inside TYPE_CHECKING" in caught.value.hint


# Decoding


def test_the_hot_loop_calls_a_function_in_c():
    assert inspect.isbuiltin(decoder_for(None).decode)
    assert inspect.isbuiltin(decoder_for(AsStruct).decode)


def test_without_a_type_any_json_value_is_a_record_and_keeps_its_integers():
    decode = decoder_for(None).decode

    assert decode(b'{"n": 123456789012345678901234567890}') == {"n": 123456789012345678901234567890}
    assert [decode(raw) for raw in (b"[1]", b'"a"', b"null", b"1.5")] == [[1], "a", None, 1.5]


@pytest.mark.parametrize("kind", [AsDataclass, AsStruct])
def test_a_record_becomes_an_object_of_its_type(kind):
    record = decoder_for(kind).decode(b'{"ip": "1.1.1.1", "unknown": 1}')

    assert type(record) is kind
    assert record.ip == "1.1.1.1"


def test_a_typed_integer_keeps_its_size():
    record = decoder_for(AsDataclass).decode(b'{"ip": "", "n": 123456789012345678901234567890}')

    assert record.n == 123456789012345678901234567890


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"ip": 1}', "field `ip`: expected `str`, got `int`"),
        (b"{}", "field `ip` is missing"),
        (
            b'{"ip": "a", "place": {"lat": "x", "names": []}}',
            "field `place.lat`: expected `float`, got `str`",
        ),
        (b'{"ip": "a", "place": {"lat": 1}}', "field `place.names` is missing"),
        (
            b'{"ip": "a", "place": {"lat": 1, "names": ["a", 2]}}',
            "field `place.names[1]`: expected `str`, got `int`",
        ),
        (b"[]", "expected `object`, got `array`"),
        (b'{"ip": "a"', "not JSON: Input data was truncated"),
        (b'{"ip": NaN}', "not JSON: JSON is malformed: invalid character (byte 7)"),
        (b'{"ip": "\xff"}', "not UTF-8: a byte that no character has"),
    ],
)
def test_a_record_that_does_not_fit_is_told_by_its_field(raw, says):
    assert refusal(AsDataclass, raw) == says


def test_what_is_nested_too_deeply_is_an_invalid_record():
    assert refusal(None, b"[" * 100_000) == "nested too deeply"


def test_a_type_that_nothing_can_be_decoded_to_is_refused():
    with pytest.raises(ConfigError) as caught:
        decoder_for(Unreadable)

    assert "records cannot be read as Unreadable" in caught.value.message


# pydantic


class LooksLikePydantic:
    """What a model shows of itself, for machines without pydantic."""

    __pydantic_validator__ = None


def test_a_model_without_pydantic_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic", None)
    monkeypatch.delitem(sys.modules, "batchmill.tasks.pydantic_models", raising=False)

    with pytest.raises(MissingDependency) as caught:
        decoder_for(LooksLikePydantic)

    assert caught.value.hint == 'pip install "batchmill[pydantic]"'


def test_pydantic_and_aiohttp_are_not_imported_before_they_are_asked_for():
    program = (
        "import sys, batchmill.tasks.loading, batchmill.tasks.context, batchmill.tasks.typed;"
        "print([m for m in ('pydantic', 'aiohttp', 'orjson') if m in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert said.stdout.strip() == "[]", said.stderr
