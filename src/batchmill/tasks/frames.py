"""In what form does process_batch get its records, and how do its results become rows again?"""

from __future__ import annotations

from typing import Any, Protocol

from ..errors import ConfigError, MissingDependency
from .rows import listed


class Frames(Protocol):
    """One form of a batch. It has no state: any number of calls may use it at once."""

    def pack(self, records: list[Any]) -> Any:
        """What the task gets for `records`, decoded, in their order.

        Raises InvalidRecord, naming the column, for what the form cannot hold. Halves of such a
        batch may do, so it is to be treated like a batch that failed.
        """
        ...

    def unpack(self, result: Any, count: int) -> list[Any]:
        """What the task returned, as a list of `count` results, the n-th for the n-th record.

        Raises WrongResult if that cannot be told for certain. Each entry is still to be looked at:
        it may be a result, None, or an exception.
        """
        ...


class Lists:
    """The records as they are, and a list of results."""

    @staticmethod
    def pack(records: list[Any]) -> list[Any]:
        return records

    @staticmethod
    def unpack(result: Any, count: int) -> list[Any]:
        if type(result) is list and len(result) == count:
            return result
        return listed(result, count)


def frames_for(batch_format: str) -> Frames:
    """The form that `run.batch_format` names. Raises MissingDependency if its library is absent."""
    try:
        return _FORMS[batch_format]()
    except KeyError:
        raise ConfigError(f"run.batch_format is {batch_format!r}",
                          hint=f"one of {', '.join(_FORMS)}") from None  # fmt: skip
    except ModuleNotFoundError as error:
        package, extra = _PACKAGES.get(batch_format, (batch_format, None))
        if error.name != package:
            raise
        raise MissingDependency(package, f'batch_format = "{batch_format}"', extra) from None


def _pandas() -> Frames:
    from .pandas_frames import PandasFrames

    return PandasFrames()


def _arrow() -> Frames:
    from .arrow_frames import ArrowFrames

    return ArrowFrames()


def _polars() -> Frames:
    from .polars_frames import PolarsFrames

    return PolarsFrames()


_FORMS = {"list": Lists, "pandas": _pandas, "arrow": _arrow, "polars": _polars}
_PACKAGES = {
    "pandas": ("pandas", "pandas"),
    "arrow": ("pyarrow", "arrow"),
    "polars": ("polars", "polars"),
}
