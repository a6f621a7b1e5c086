"""Records as lists, pandas frames, Arrow tables and polars frames, and back."""

from __future__ import annotations

import dataclasses
import datetime
import subprocess
import sys
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchmill.errors import ConfigError, InvalidRecord, WrongResult
from batchmill.formats.encode import encode_result
from batchmill.tasks.frames import frames_for

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

FRAMES = ["pandas", "arrow", "polars"]
FORMATS = ["list", *FRAMES]

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PRESENT = st.booleans()
NAMES = st.sampled_from(["a", "b", "", "ä b", "index"])


BIG = st.integers(-(1 << 63), (1 << 63) - 1)
COLUMNS = [
    st.none() | values
    for values in (
        BIG,
        st.integers(0, (1 << 64) - 1),
        st.integers(-(1 << 200), 1 << 200),
        st.floats(allow_nan=False, allow_infinity=False),
        st.booleans(),
        TEXTS,
        st.lists(BIG, max_size=3),
        st.lists(st.lists(TEXTS | st.none(), max_size=2), max_size=2),
        st.fixed_dictionaries({"x": TEXTS, "y": st.booleans() | st.none()}),
    )
]
"""Values of columns as most files have them: of one type, some missing."""


@st.composite
def tables(draw):
    columns = {name: draw(st.sampled_from(COLUMNS)) for name in draw(st.sets(NAMES, min_size=1))}
    rows = range(draw(st.integers(0, 8)))
    return [{name: draw(each) for name, each in columns.items() if draw(PRESENT)} for _ in rows]


def filled(records):
    """The records as a frame has them: a missing field is None."""
    names = dict.fromkeys(name for record in records for name in record)
    return [{name: record.get(name) for name in names} for record in records]


def spelled(rows):
    """What would be written, so that 1 is not 1.0 and True is not 1; fields in any order."""
    return [encode_result(in_order(row)) for row in rows]


def in_order(value):
    if isinstance(value, dict):
        return {name: in_order(value[name]) for name in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


def there_and_back(form, records):
    frames = frames_for(form)
    return frames.unpack(frames.pack(records), len(records))


def refusal(form, result, count):
    with pytest.raises(WrongResult) as caught:
        frames_for(form).unpack(result, count)
    return str(caught.value)


@pytest.mark.parametrize("form", FRAMES)
@settings(deadline=None, max_examples=800)
@given(tables())
def test_columns_of_one_type_come_back_as_they_went_in(form, records):
    if form == "polars" and not any(records):
        return

    assert spelled(filled(records)) == spelled(there_and_back(form, records))


@settings(deadline=None, max_examples=80)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=6))
def test_pandas_gives_any_json_back_as_it_was(records):
    assert spelled(filled(records)) == spelled(there_and_back("pandas", records))


def bare(value):
    """A value without the empty fields that others' missing ones leave in nested objects."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if v is not None}
    return [bare(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", ["arrow", "polars"])
@settings(deadline=None, max_examples=80)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=6))
def test_any_json_is_the_same_value_or_is_refused(form, records):
    try:
        back = there_and_back(form, records)
    except InvalidRecord as error:
        told = str(error)
        assert "; hint: " in told
        assert "column " in told or "no record of the batch has a field" in told
        return

    assert [bare(record) for record in records] == [bare(row) for row in back]


@pytest.mark.parametrize("form", FRAMES)
def test_an_integer_beside_a_missing_one_stays_an_integer(form):
    rows = there_and_back(form, [{"n": 1}, {}, {"n": None}, {"n": (1 << 63) - 1}])

    assert ["1", "None", "None", "9223372036854775807"] == [repr(row["n"]) for row in rows]


@pytest.mark.parametrize("form", FRAMES)
def test_integers_beyond_64_bits_survive(form):
    records = [{"n": 1 << 64}, {"n": -1}, {"n": 3}]

    assert spelled(records) == spelled(there_and_back(form, records))


def test_integers_among_floats_are_objects_in_pandas():
    records = [{"n": 10}, {"n": 12.5}]

    assert spelled(records) == spelled(there_and_back("pandas", records))
    assert object == frames_for("pandas").pack(records)["n"].dtype


@pytest.mark.parametrize("form", ["arrow", "polars"])
def test_integers_among_floats_are_floats_where_a_column_has_one_type(form):
    assert [{"n": 10.0}, {"n": 12.5}] == there_and_back(form, [{"n": 10}, {"n": 12.5}])


def test_an_integer_that_is_no_float_is_not_rounded_for_its_neighbours():
    records = [{"n": (1 << 53) + 1}, {"n": 0.5}]

    assert records == there_and_back("polars", records)
    with pytest.raises(InvalidRecord, match="column 'n' holds values of several types"):
        frames_for("arrow").pack(records)


def test_a_column_of_several_types_names_itself_in_arrow():
    with pytest.raises(InvalidRecord, match=r"column 'x' holds values of several types.*hint: "):
        frames_for("arrow").pack([{"x": 1}, {"x": "a"}])


def test_a_column_of_several_types_is_of_objects_in_polars():
    records = [{"x": 1, "y": 1}, {"x": "a", "y": 2}, {"x": [1, {"b": None}], "y": 3}]

    frame = frames_for("polars").pack(records)

    assert pl.Object == frame["x"].dtype
    assert records == frames_for("polars").unpack(frame, 3)


@pytest.mark.parametrize("form", FRAMES)
def test_fields_that_come_late_in_nested_objects_are_kept(form):
    records = [{"a": {"x": 1}}, {"a": {"y": [{"z": 2}]}}]

    assert records == [bare(row) for row in there_and_back(form, records)]


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_records_without_any_field_are_rows_too(form):
    assert [{}, {}] == there_and_back(form, [{}, {}])


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_batch_comes_back_empty(form):
    assert [] == there_and_back(form, [])


def test_pandas_columns_have_the_types_one_would_give_them():
    frame = frames_for("pandas").pack([
        {"i": 1, "j": 1, "f": 0.5, "b": True, "c": True, "big": 1 << 63, "l": [1]},
        {"i": 2, "f": None, "b": False, "big": 1, "l": [2, 3]},
    ])  # fmt: skip

    assert {"i": "int64", "j": "Int64", "f": "float64", "b": "bool", "c": "boolean",
            "big": "uint64", "l": "object"} == frame.dtypes.astype(str).to_dict()  # fmt: skip
    assert pd.RangeIndex(2).equals(frame.index)


@dataclasses.dataclass
class Place:
    lat: float


@dataclasses.dataclass
class Row:
    ip: str
    at: datetime.datetime
    place: Place


class Named(msgspec.Struct, rename="camel"):
    long_name: int
    left_out: int | msgspec.UnsetType = msgspec.UNSET


AT = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)


@pytest.mark.parametrize("form", FRAMES)
def test_typed_records_become_rows_as_they_would_be_written(form):
    rows = there_and_back(form, [Row("a", AT, Place(1.0)), Row("b", AT, Place(2.0))])

    assert {"ip": "a", "at": AT, "place": {"lat": 1.0}} == rows[0]
    assert encode_result(Row("b", AT, Place(2.0))) == encode_result(rows[1])
    assert [{"longName": 1}] == there_and_back(form, [Named(1)])


@pytest.mark.parametrize("form", FRAMES)
def test_a_pydantic_model_becomes_a_row(form):
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        ip: str
        place: dict[str, float]

    assert [{"ip": "a", "place": {"lat": 1.0}}] == there_and_back(
        form, [Model(ip="a", place={"lat": 1.0})]
    )


@pytest.mark.parametrize("form", FRAMES)
@pytest.mark.parametrize(
    "values",
    [
        [AT, None],
        [AT.replace(tzinfo=None), datetime.datetime(1, 1, 1)],
        [AT.date(), None],
        [Decimal("1.10"), Decimal("2.25")],
        ["\x00", "💥", "", None],
        [[], None, [None]],
        [{}, None],
    ],
)
def test_values_beyond_plain_json_survive(form, values):
    rows = there_and_back(form, [{"v": value} for value in values])

    assert values == [row["v"] for row in rows]
    assert {type(v) for v in values} == {type(row["v"]) for row in rows}


def test_times_with_and_without_a_zone_are_not_taken_for_each_other():
    records = [{"at": AT}, {"at": AT.replace(tzinfo=None)}]

    assert records == there_and_back("pandas", records)
    assert records == there_and_back("polars", records)
    with pytest.raises(InvalidRecord, match="column 'at'"):
        frames_for("arrow").pack(records)


def test_a_lone_surrogate_survives_in_memory():
    records = [{"s": "\ud800"}, {"s": "a"}]

    assert records == there_and_back("pandas", records)
    assert records == there_and_back("polars", records)
    with pytest.raises(InvalidRecord, match="column 's' cannot be an Arrow column"):
        frames_for("arrow").pack(records)


@pytest.mark.parametrize("form", FRAMES)
@pytest.mark.parametrize(
    ("record", "says"),
    [
        ([1], "the record is a list, and "),
        (5, "the record is an int, and "),
        ({1: 2}, "the record has the key 1 (int), and columns have names; hint: str(1)"),
    ],
)
def test_a_record_that_is_no_row_is_refused(form, record, says):
    with pytest.raises(InvalidRecord) as caught:
        frames_for(form).pack([{"a": 1}, record])

    assert says in str(caught.value)


def test_a_typed_record_that_holds_what_no_row_can_is_refused():
    @dataclasses.dataclass
    class Odd:
        value: object

    with pytest.raises(InvalidRecord, match="the record cannot become a row"):
        frames_for("pandas").pack([Odd(object())])


def test_polars_refuses_records_without_any_field():
    with pytest.raises(InvalidRecord, match="no record of the batch has a field"):
        frames_for("polars").pack([{}])


# What a task returns.


@pytest.mark.parametrize("form", FORMATS)
def test_a_list_of_results_is_taken_whatever_is_in_it(form):
    failed = ValueError("no")
    given = [{"a": 1}, None, failed, [{"a": 2}, {"a": 3}]]

    assert given == frames_for(form).unpack(given, 4)
    assert given == frames_for(form).unpack(tuple(given), 4)


def test_a_list_of_results_is_not_copied():
    results = [None] * 3

    assert results is frames_for("list").unpack(results, 3)
    assert results is frames_for("list").pack(results)


@pytest.mark.parametrize("form", FORMATS)
def test_another_number_of_results_is_told_with_both_numbers(form):
    told = refusal(form, [None] * 9, 10)

    assert told.startswith("process_batch returned 9 results for 10 records; hint: one for each")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("result", "says"),
    [
        (None, "returned None for 2 records"),
        ({"a": 1, "b": 2}, "returned a dict for 2 records"),
        ({1, 2}, "returned a set for 2 records"),
        ("ab", "returned a str for 2 records"),
        (b"ab", "returned a bytes for 2 records"),
        ((n for n in range(2)), "returned a generator for 2 records"),
        (np.zeros(2), "returned a numpy.ndarray for 2 records; hint: one value a record has no"),
        (pd.Series([1, 2]), "returned a pandas.Series for 2 records; hint: one value a record"),
        (pa.array([1, 2]), "for 2 records; hint: one value a record has no field name"),
        (pl.Series([1, 2]), "returned a polars.Series for 2 records; hint: one value a record"),
    ],
)
def test_what_holds_no_results_in_order_is_refused(form, result, says):
    told = refusal(form, result, 2)

    assert says in told
    assert "; hint: " in told


@pytest.mark.parametrize(
    ("form", "result", "wanted"),
    [
        ("list", pd.DataFrame({"a": [1]}), "pandas"),
        ("pandas", pa.table({"a": [1]}), "arrow"),
        ("arrow", pl.DataFrame({"a": [1]}), "polars"),
        ("polars", pd.DataFrame({"a": [1]}), "pandas"),
    ],
)
def test_a_frame_of_another_library_is_told_which_format_it_wants(form, result, wanted):
    assert f'hint: set run.batch_format = "{wanted}"' in refusal(form, result, 1)


def test_a_lazy_frame_is_to_be_collected():
    assert "hint: result.collect()" in refusal("polars", pl.LazyFrame({"a": [1]}), 1)


@pytest.mark.parametrize("form", FRAMES)
def test_a_frame_with_rows_left_out_is_told_with_both_numbers(form):
    frame = {"pandas": pd.DataFrame, "arrow": pa.table, "polars": pl.DataFrame}[form]

    told = refusal(form, frame({"a": [1, 2, 3]}), 4)

    assert told.startswith("process_batch returned 3 rows for 4 records; hint: ")
    assert "None for each" in told


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.sort_values("n"),
        lambda frame: frame.sample(frac=1, random_state=1),
        lambda frame: pd.concat([frame[:2], frame[:2]]),
        lambda frame: frame.set_index("n").reset_index().set_axis(["a", "b", "c", "d"]),
        lambda frame: pd.concat([frame, frame])[2:6],
    ],
)
def test_a_pandas_frame_whose_rows_may_stand_elsewhere_is_refused(change):
    frame = frames_for("pandas").pack([{"n": 3}, {"n": 1}, {"n": 2}, {"n": 0}])

    told = refusal("pandas", change(frame), 4)

    assert "and not 0, 1, 2 …" in told
    assert "sort_index()" in told
    assert "reset_index(drop=True)" in told


def test_a_column_that_became_the_index_is_not_lost():
    frame = frames_for("pandas").pack([{"n": 0, "x": 1}, {"n": 1, "x": 2}])

    assert "the index 'n', which is no column" in refusal("pandas", frame.set_index("n"), 2)


@pytest.mark.parametrize("columns", [["a", "a"], [0, 1], ["a", ("b", "c")], ["a", None]])
def test_columns_that_are_no_fields_are_refused(columns):
    frame = pd.DataFrame([[1, 2]], columns=pd.Index(columns, tupleize_cols=False))

    assert "hint: rename" in refusal("pandas", frame, 1)


def test_two_columns_of_one_name_are_refused_in_arrow():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])

    assert "two columns 'a'" in refusal("arrow", table, 1)


def test_pandas_cells_become_values_of_python():
    frame = pd.DataFrame({
        "i": np.array([1, 2], dtype="int8"),
        "f": np.array([0.5, np.nan], dtype="float32"),
        "o": pd.Series([np.float64(1.5), pd.NA], dtype=object),
        "n": pd.Series([np.int64(7), np.nan], dtype=object),
        "v": pd.Series([np.arange(2), None], dtype=object),
        "c": pd.Categorical(["x", None]),
        "t": pd.Series([pd.Timestamp("2026-01-02T03:04:05.000006007"), pd.NaT]),
        "u": pd.Series([pd.Timestamp("2026-01-02T03:04:05Z"), pd.NaT]),
    })  # fmt: skip

    first, second = frames_for("pandas").unpack(frame, 2)

    assert {"i": 1, "f": 0.5, "o": 1.5, "n": 7, "v": [0, 1], "c": "x",
            "t": "2026-01-02T03:04:05.000006007",
            "u": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
            } == first  # fmt: skip
    assert dict.fromkeys(frame, None) | {"i": 2} == second
    assert {int, float, list, str, datetime.datetime} == {type(v) for v in first.values()}
    assert encode_result([first, second]).count(b"\n") == 2


def test_an_infinity_is_left_for_the_encoding_to_refuse():
    rows = frames_for("pandas").unpack(pd.DataFrame({"x": [float("inf")]}), 1)

    assert [{"x": float("inf")}] == rows


@pytest.mark.parametrize(
    ("form", "frame"),
    [("arrow", pa.table({"x": [float("nan"), None]})),
     ("polars", pl.DataFrame({"x": [float("nan"), None]}))],
)  # fmt: skip
def test_null_and_nan_are_two_things_in_arrow_and_polars(form, frame):
    first, second = frames_for(form).unpack(frame, 2)

    assert first["x"] != first["x"]
    assert second["x"] is None


WHOLE = [datetime.datetime(2026, 1, 2, 3, 4, 5, 6), None]


def test_times_in_nanoseconds_come_out_if_nothing_is_lost_by_it():
    table = pa.table({"t": pa.array(WHOLE, pa.timestamp("ns"))})
    frame = pl.DataFrame({"t": pl.Series(WHOLE, dtype=pl.Datetime("ns"))})

    assert [{"t": each} for each in WHOLE] == frames_for("arrow").unpack(table, 2)
    assert [{"t": each} for each in WHOLE] == frames_for("polars").unpack(frame, 2)


@pytest.mark.parametrize("form", FRAMES)
def test_fields_may_be_called_like_types(form):
    records = [{"'ns'": {"'ns'": 1, "[ns": None}, "map<": {"decimal": 1}}]

    assert records == there_and_back(form, records)


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.duration("ns"), pa.time64("ns"),
                                  pa.list_(pa.timestamp("ns"))])  # fmt: skip
def test_nanoseconds_that_would_be_lost_are_refused_in_arrow(kind):
    values = [[1]] if pa.types.is_list(kind) else [1]

    told = refusal("arrow", pa.table({"t": pa.array(values, kind)}), 1)

    assert "in the column 't'" in told
    assert "hint: cast it to microseconds" in told


@pytest.mark.parametrize("kind", [pl.Datetime("ns"), pl.Duration("ns"), pl.Time,
                                  pl.List(pl.Datetime("ns"))])  # fmt: skip
def test_nanoseconds_that_would_be_lost_are_refused_in_polars(kind):
    values = pl.Series([1]).cast(pl.Int64)
    column = values.cast(kind) if kind != pl.List(pl.Datetime("ns")) else values.cast(
        pl.Datetime("ns")).implode()  # fmt: skip

    told = refusal("polars", pl.DataFrame({"t": column}), 1)

    assert "in the column 't'" in told
    assert "hint: cast it to microseconds" in told


def test_a_whole_arrow_table_of_other_types_becomes_rows():
    table = pa.table({
        "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        "dictionary": pa.array(["x"]).dictionary_encode(),
        "whole": pa.array([Decimal(5)]),
        "decimal": pa.array([Decimal("5.10")]),
    })  # fmt: skip
    expected = {"map": {"a": 1}, "dictionary": "x", "whole": 5, "decimal": Decimal("5.10")}

    assert [expected] == frames_for("arrow").unpack(table, 1)
    assert [expected] == frames_for("arrow").unpack(table.to_batches()[0], 1)


# Which library is there.

ASKED = """
import sys
sys.modules[{package!r}] = None
from batchmill.errors import MissingDependency
from batchmill.tasks.frames import frames_for
try:
    frames_for({form!r})
except MissingDependency as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("form", "package"), [("pandas", "pandas"), ("arrow", "pyarrow"), ("polars", "polars")]
)
def test_a_missing_library_is_one_sentence_and_the_line_that_installs_it(form, package):
    code = ASKED.format(form=form, package=package)

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == (
        f'batch_format = "{form}" needs {package}\nhint: pip install "batchmill[{form}]"\n'
    )


def test_lists_need_no_library():
    code = (
        "import sys; from batchmill.tasks.frames import frames_for; frames_for('list'); "
        "print(*{'numpy', 'pandas', 'pyarrow', 'polars'} & set(sys.modules))"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "\n"


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ConfigError, match="one of list, pandas, arrow, polars"):
        frames_for("csv")
