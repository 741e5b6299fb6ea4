# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults in docs/faults.md: recorded by tests, written from the results of the rings.

A test that causes a fault on purpose says so in plain words, with the outcome that it asserts:

    @pytest.mark.fault("The disk is full", "one sentence before the first change; the next run completes")
    def test_full_disk(tries):
        for ...:
            tries()  # or tries(20); a test that never calls it counts as one try

Tests with the same fault share a row. `make faults-table` writes the file from what the rings left in tests/output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "faults.md"
HEAD = """\
<!-- Written by `make faults-table` from the results of the tests. Edit the marks in tests/, not this file. -->

# Faults that are tested

Each row is a kind of fault that tests cause on purpose, with the number of tries in the last run of all rings, the nightly ones
included. "Completes" means: without an error, as check mode foretold, and a further run changes nothing.

| Fault | Tries | Outcome |
|---|---:|---|
"""


class Row(NamedTuple):
    fault: str
    outcome: str
    tries: int = 0
    failed: int = 0  # tests, of those that tried it

    def __str__(self) -> str:
        outcome = f"**{self.failed} failed**; expected: {self.outcome}" if self.failed else self.outcome
        return f"| {self.fault} | {self.tries} | {outcome} |"


# -- recording: hooks for tests/conftest.py -----------------------------------------------------------------------


def register(config: Any) -> None:
    config.addinivalue_line("markers", "fault(fault, outcome): a row of docs/faults.md; see tests/faults_table.py")


def record(item: Any, call: Any) -> None:
    """Add the row to the test's result, which goes to the ring's JUnit file."""
    mark = item.get_closest_marker("fault")
    if mark and call.when == "call":
        fault, outcome = mark.args
        item.user_properties += [("fault", fault), ("outcome", outcome), ("tries", str(sum(counted(item)) or 1))]


def counted(item: Any) -> list[int]:
    """How often the test has said that it tried. The list grows."""
    return item.__dict__.setdefault("_tries", [])


def counter(request: Any) -> Callable[..., None]:
    """The fixture `tries`: call it for each try, or with their number."""
    return lambda number=1: counted(request.node).append(number)


# -- the table ----------------------------------------------------------------------------------------------------


def results(files: Iterable[Path]) -> Iterator[Row]:
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):
            said = {one.get("name"): one.get("value") or "" for one in case.iter("property")}
            if "fault" in said:
                bad = any(child.tag in ("failure", "error") for child in case)
                yield Row(said["fault"], said["outcome"], int(said["tries"]), int(bad))


def merge(rows: Iterable[Row]) -> list[Row]:
    """One row for each fault and outcome, in the order of their words."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        old = found.get(row[:2], Row(*row[:2]))
        found[row[:2]] = old._replace(tries=old.tries + row.tries, failed=old.failed + row.failed)
    return [found[key] for key in sorted(found)]


def read(text: str) -> list[list[str]]:
    """The cells of a written table's rows."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def main() -> int:
    rows = merge(results(sorted(ROOT.glob("tests/output/*/*.xml"))))
    if not rows:
        sys.exit("no results in tests/output: run the rings first (make test, make test-faults)")
    TABLE.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    failed = sum(row.failed for row in rows)
    print(f"{TABLE.relative_to(ROOT)}: {len(rows)} faults, {sum(row.tries for row in rows)} tries, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
