# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of faults: every row has a number from a run, and no test failed in it."""

from __future__ import annotations

import pytest
from ansible_collections.netwright.docknet.tests import faults_table
from ansible_collections.netwright.docknet.tests.faults_table import Row

JUNIT = """<testsuites><testsuite>
<testcase name="a"><properties><property name="fault" value="Kill" /><property name="outcome" value="heals" />
<property name="tries" value="40" /></properties></testcase>
<testcase name="b"><properties><property name="fault" value="Kill" /><property name="outcome" value="heals" />
<property name="tries" value="2" /></properties>{}</testcase>
<testcase name="c" />
</testsuite></testsuites>"""


def test_the_committed_table_has_no_empty_cell():
    rows = faults_table.read(faults_table.TABLE.read_text())
    assert rows
    for row in rows:
        assert len(row) == 3 and all(row), row
        assert int(row[1]) > 0, row
        assert "failed" not in row[2], row


@pytest.mark.parametrize(
    ("child", "failed", "line"),
    [
        ("", 0, "| Kill | 42 | heals |"),
        ("<failure />", 1, "| Kill | 42 | **1 failed**; expected: heals |"),
        ("<error />", 1, "| Kill | 42 | **1 failed**; expected: heals |"),
    ],
)
def test_rows_are_added_up_from_junit_files(tmp_path, child, failed, line):
    file = tmp_path / "kernel.xml"
    file.write_text(JUNIT.format(child))
    rows = faults_table.merge(faults_table.results([file]))
    assert rows == [Row("Kill", "heals", 42, failed)]
    assert str(rows[0]) == line
    assert faults_table.read(faults_table.HEAD + line) == [[cell.strip() for cell in line.split("|")[1:-1]]]
