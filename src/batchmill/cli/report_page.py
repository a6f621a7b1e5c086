"""The report of runs as one HTML page, which needs nothing but itself."""

from __future__ import annotations

from html import escape

from ..ledger.reading import Run
from .table import facts_of, title_of

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }}
td, th {{ padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top }}
th {{ font-weight: normal; opacity: .6 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee }} }}
</style>
<h1>{name}</h1>
{runs}
</html>
"""


def page_of(name: str, runs: list[Run]) -> str:
    """The page. All text in it is escaped."""
    return _PAGE.format(name=escape(name), runs="\n".join(map(_section, runs)))


def _section(run: Run) -> str:
    when = f"{run.started_at} to {run.ended_at or '?'}, process {run.pid} on {run.host}"
    if run.report is None:
        return f"<h2>Run {run.number}: no report</h2><p>{escape(when)}</p>"
    rows = "\n".join(
        f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in facts_of(run.report)
    )
    title = f"Run {run.number}, {title_of(run.report)}"
    return f"<h2>{escape(title)}</h2><p>{escape(when)}</p>\n<table>\n{rows}\n</table>"
