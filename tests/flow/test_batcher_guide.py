"""The programs of the guide run and print what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "batcher.md"
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_guide_has_programs():
    assert len(PROGRAMS) == 2


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_a_program_of_the_guide_prints_what_the_guide_says(program, printed, capsys):
    exec(compile(program, str(GUIDE), "exec"), {"__name__": "guide"})

    assert capsys.readouterr().out == printed
