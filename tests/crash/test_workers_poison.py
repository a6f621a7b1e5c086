"""Records that kill, hang or fill the process that calls them take nothing down but themselves."""

from __future__ import annotations

from batchmill import Retry
from batchmill.cli.app import invoke
from crash import poison
from faults.conftest import little

__all__ = ["little"]

RECORDS = 5000


def test_records_that_ruin_their_process_are_dead_letters_and_all_others_succeed(little):
    records, kinds = poison.make_source(RECORDS)
    little.write(*records)

    report = little.run(poison.__file__, engine="process", workers=2, timeout_s=3.0,
                        worker_memory=256 << 20, retry=Retry(max_attempts=1))  # fmt: skip

    assert ("completed", RECORDS - len(kinds)) == (report.state, report.succeeded)
    assert [n for n in range(RECORDS) if n not in kinds] == sorted(
        result["id"] for result in little.results()
    )
    letters = {letter["seq"]: letter for letter in little.letters()}
    assert kinds.keys() == letters.keys()
    for seq, kind in kinds.items():
        type_of, message, attempts = poison.FATES[kind]
        assert type_of == letters[seq]["error"]["type"]
        assert message in letters[seq]["error"]["message"]
        made = letters[seq]["attempts"]
        assert made >= attempts
        assert records[seq] == letters[seq]["record"]
    assert 0 == invoke(["verify", str(little.output)])
