"""The settings that have a shape of their own: retry, rate, failure limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .errors import ConfigError

_PERIODS_S = {"ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0,
              "m": 60.0, "min": 60.0, "minute": 60.0,
              "h": 3600.0, "hour": 3600.0, "day": 86400.0, "d": 86400.0}  # fmt: skip


def require(holds: bool, option: str, value: object, remedy: str) -> None:
    """Raise a ConfigError that names option, value and remedy unless `holds`."""
    if not holds:
        raise ConfigError(f"{option} = {value!r} is not allowed", hint=f"{option}: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failing record is tried, and how long it waits in between.

    The wait before attempt n + 1 is drawn evenly from 0 to
    min(wait_max_s, wait_min_s * factor ** (n - 1)) seconds ("full jitter", AWS Architecture Blog,
    Exponential Backoff and Jitter). `max_attempts` counts the first attempt.

    `on` says which failures are tried again: "transient" (connection errors, time-outs, HTTP 408,
    425 and 5xx; 429 besides, at no charge), "all", or a sequence of exception classes or their
    dotted names, which are tried again besides the transient ones.
    """

    max_attempts: int = 4
    wait_min_s: float = 1.0
    wait_max_s: float = 60.0
    factor: float = 2.0
    on: str | Sequence[str | type[BaseException]] = "transient"

    def __post_init__(self) -> None:
        require(self.max_attempts >= 1, "retry.max_attempts", self.max_attempts, "1 or more")
        require(self.wait_min_s >= 0, "retry.wait_min_s", self.wait_min_s, "0 or more seconds")
        require(self.wait_max_s >= self.wait_min_s, "retry.wait_max_s", self.wait_max_s,
                f"at least wait_min_s ({self.wait_min_s:g})")  # fmt: skip
        require(self.factor >= 1, "retry.factor", self.factor, "1 or more")
        named = not isinstance(self.on, str) and _are_exceptions(self.on)
        require(named or self.on in ("transient", "all"), "retry.on", self.on,
                '"transient", "all" or a list of exceptions')  # fmt: skip


def _are_exceptions(on: object) -> bool:
    return isinstance(on, Sequence) and all(
        isinstance(each, str) or (isinstance(each, type) and issubclass(each, BaseException))
        for each in on
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit on starts: at most `count` in any window of `period_s` seconds."""

    count: int
    period_s: float
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read "120/min", "5/s", "1000/hour", "10/30s"."""
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d*\.?\d*)\s*([a-z]+)\s*", str(text).lower())
        unit = match[3] if match else ""
        unit = unit if unit in _PERIODS_S else unit.removesuffix("s")
        if not match or unit not in _PERIODS_S or int(match[1]) < 1 or match[2] == ".":
            raise ConfigError(
                f"rate = {text!r} is not a rate", hint='write calls per period: "120/min", "5/s"'
            )
        period_s = float(match[2] or 1) * _PERIODS_S[unit]
        require(period_s > 0, "rate", text, "a period above zero")
        return cls(int(match[1]), period_s, str(text))


MIN_SAMPLE = 100
"""Records that must have an outcome before a failure ratio means anything."""


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """When a run has failed too often: after `count` dead letters, or above `ratio` of outcomes."""

    count: int | None = None
    ratio: float | None = None

    @classmethod
    def parse(cls, value: int | str | None) -> FailureLimit:
        """Read 100, "100" or "5%"; None is no limit."""
        if value is None or isinstance(value, FailureLimit):
            return value or cls()
        text = str(value).strip()
        if re.fullmatch(r"\d+", text) and not isinstance(value, bool):
            return cls(count=int(text))
        if re.fullmatch(r"\d+(\.\d+)?%", text) and 0 <= float(text[:-1]) <= 100:
            return cls(ratio=float(text[:-1]) / 100)
        raise ConfigError(
            f"max_failures = {value!r} is neither a number nor a percentage",
            hint='write a count of records (100) or a share of them ("5%")',
        )

    def passed_by(self, failed: int, settled: int) -> bool:
        """Whether `failed` dead letters among `settled` outcomes are too many."""
        if self.count is not None:
            return failed > self.count
        if self.ratio is None or settled < MIN_SAMPLE:
            return False
        return failed > self.ratio * settled * (1 + 1e-12)


_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9,
          "k": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mib": 1 << 20,
          "g": 1 << 30, "gib": 1 << 30}  # fmt: skip


def bytes_of(option: str, value: int | str | None) -> int | None:
    """Read 2000000, "512MB" (10**6) or "2GiB" (2**30; "2G" is the same); None is no limit."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b?)", str(value).strip().lower())
    number = float(match[1]) * _BYTES[match[2]] if match and match[2] in _BYTES else 0.0
    require(number >= 1, option, value, 'a size such as "512MB" or "2GiB"')
    return int(number)
