"""The report of a run as a list of facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..observers.text import per_second, span
from .output import Fact

ERROR_TYPES = 5
"""Most types of errors that are named."""


def title_of(report: Mapping[str, Any]) -> str:
    return f"{report['name']}: {report['state']} after {span(report['duration_s'])}"


def facts_of(report: Mapping[str, Any]) -> list[Fact]:
    """What a report (as `Report.to_dict` gives it) says, in an order for reading."""
    facts = [(name, f"{report[name]:,}") for name in
             ("read", "succeeded", "filtered", "failed", "pending")]  # fmt: skip
    facts += _this_run(report) + _errors(report)
    if not report["source_complete"]:
        facts.append(("source", "not read to its end: there may be more records"))
    if report["reason"]:
        facts.append(("ended by", report["reason"].splitlines()[0]))
    if report.get("hint"):
        facts.append(("hint", report["hint"]))
    facts += [(name, str(report[name])) for name in ("output", "errors") if report[name]]
    return facts


def _this_run(report: Mapping[str, Any]) -> list[Fact]:
    new = report["succeeded"] + report["filtered"] + report["failed"] - report["already_settled"]
    calls = f"calls {report['called']:,}, retries {report['retries']:,}{_pace(report)}"
    facts = [("before", f"{report['already_settled']:,} were settled")]
    facts.append(("this run", f"{new:,} newly settled; {calls}"))
    if report["called"]:
        latency = report["latency_s"]
        facts.append(("latency", ", ".join(f"{p} {span(latency[p])}" for p in latency)))
    return facts


def _pace(report: Mapping[str, Any]) -> str:
    if not report["duration_s"] or not report["called"]:
        return ""
    return f"; {per_second(report['called'] / report['duration_s'])}"


def _errors(report: Mapping[str, Any]) -> list[Fact]:
    by_type = sorted(report["errors_by_type"].items(), key=lambda item: (-item[1], item[0]))
    if not by_type:
        return []
    shown = [f"{name} {count:,}" for name, count in by_type[:ERROR_TYPES]]
    if len(by_type) > ERROR_TYPES:
        shown.append(f"{len(by_type) - ERROR_TYPES} other types")
    return [("failures", ", ".join(shown))]
