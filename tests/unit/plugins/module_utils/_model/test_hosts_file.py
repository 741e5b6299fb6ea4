# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks in a hosts file: whatever else is in it stays, to the byte."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import (
    HEADER,
    JOINT,
    LOCALHOST,
    Damaged,
    HostsLine,
    find,
    put,
    take,
)
from hypothesis import assume, given
from hypothesis import strategies as st

WEB = HostsLine(ip_address("172.17.0.3"), ("web", "www"))
DB = HostsLine(ip_address("fd00::2"), ("db",))
# Owners whose names contain one another, and one that a regular expression would read as more than itself.
OWNERS = ["mario", "mario2", "mar", "m.rio"]

PIECES = [
    b"127.0.0.1 localhost",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"#",
    b"\xff\xfe\x00",
    b"::1 localhost\n",
    b"caf\xe9",
]
PIECES += [b"# BEGIN docknet@", b"# BEGIN docknet@other\n1.2.3.4 x\n# END docknet@other", b"# END docknet@stray\n"]
foreign = st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=9).map(b"".join)
names = st.text("abc-.", min_size=1, max_size=8)
addresses = st.ip_addresses()
lines = st.lists(st.builds(HostsLine, addresses, st.lists(names, min_size=1).map(tuple)), min_size=1, max_size=4)


def unclaimed(content, *owners):
    """Bytes that have nothing in them of ours, nor of these owners'."""
    return (
        HEADER not in content
        and JOINT not in content
        and not any(f"docknet@{owner}".encode() in content for owner in owners)
    )


@given(foreign, lines)
def test_what_was_put_is_found(content, block):
    seen = find(put(content, "mario", block), "mario")
    assert seen and seen.lines == tuple(block)


@given(foreign, lines, lines)
def test_all_else_stays_to_the_byte(content, first, second):
    changed = put(put(content, "mario", first), "mario", second)
    assert changed.startswith(content)
    assert changed == put(content, "mario", second)
    assert take(changed, "mario") == content


@given(foreign, foreign, lines, lines)
def test_a_block_keeps_its_place(above, below, first, second):
    content = put(above, "mario", first) + below
    seen = find(content, "mario")
    changed = put(content, "mario", second)
    assert changed.startswith(content[: seen.start])
    assert changed.endswith(below)
    assert len(changed) - len(content) == len(put(above, "mario", second)) - len(put(above, "mario", first))


@given(foreign, foreign, lines)
def test_what_was_added_below_later_begins_its_own_line(above, below, block):
    assume(below and not below.lstrip().startswith(b"# BEGIN"))
    left = take(put(above, "mario", block) + below, "mario")
    joined = above + (b"" if above.endswith(b"\n") or not above else b"\n")
    assert left == joined + below


@given(st.none() | foreign, st.data())
def test_owners_come_and_go_in_any_order(content, data):
    """However often and in whatever order: each reads his own, nobody's bytes change, and the last leaves what was there."""
    assume(content is None or unclaimed(content, *OWNERS))
    file, there = content, {}
    for owner in data.draw(st.lists(st.sampled_from(OWNERS), max_size=12)):
        others = {other: span(file, other) for other in there if other != owner}
        if owner in there and data.draw(st.booleans()):
            file = take(file, owner)
            del there[owner]
        else:
            there[owner] = tuple(data.draw(lines))
            file = put(file, owner, there[owner])
        assert {other: span(file, other) for other in others} == others
        assert all(find(file, one).lines == block for one, block in there.items())
    for owner in data.draw(st.permutations(sorted(there))):
        file = take(file, owner)
    assert file == content


def span(content, owner):
    seen = find(content, owner)
    return content[seen.start : seen.end]


def test_a_new_file():
    expected = HEADER + b"# BEGIN docknet@shop\n172.17.0.3\tweb www\nfd00::2\tdb\n# END docknet@shop\n"
    assert put(None, "shop", [WEB, DB]) == expected
    assert HEADER.startswith(b"# docknet")
    assert all(f"\n{address}\t{' '.join(names)}\n".encode() in HEADER for address, names in LOCALHOST)


def test_a_file_we_made_stays_once_somebody_wrote_in_it():
    content = put(None, "shop", [WEB]) + b"10.0.0.1 mine\n"
    assert take(content, "shop") == HEADER + b"10.0.0.1 mine\n"


def test_an_empty_file_is_not_ours():
    assert put(b"", "shop", [WEB]).startswith(b"# BEGIN")
    assert take(put(b"", "shop", [WEB]), "shop") == b""


def test_a_file_without_a_last_line_end():
    content = put(b"127.0.0.1 localhost", "shop", [WEB])
    assert (
        content == b"127.0.0.1 localhost\n" + JOINT + b"# BEGIN docknet@shop\n172.17.0.3\tweb www\n# END docknet@shop\n"
    )


@pytest.mark.parametrize(
    "found",
    [
        b"# BEGIN docknet@shop\r\n172.17.0.3\tweb www\r\n# END docknet@shop\r\n",
        b"  # BEGIN docknet@shop \n 172.17.0.3   web\twww\n# END docknet@shop",
    ],
)
def test_blanks_and_line_ends_are_no_difference(found):
    assert find(found, "shop").lines == (WEB,)
    assert take(b"above\r\n" + found, "shop") == b"above\r\n"


def test_addresses_are_compared_as_values():
    found = b"# BEGIN docknet@shop\nFD00:0::2 db\n# END docknet@shop\n"
    assert find(found, "shop").lines == (DB,)


@pytest.mark.parametrize("line", [b"", b"# by hand", b"172.17.0.3.4 web", b"\xff web"])
def test_a_line_that_is_not_ours_is_a_difference(line):
    seen = find(b"# BEGIN docknet@shop\n" + line + b"\n# END docknet@shop\n", "shop")
    assert len(seen.lines) == 1 and isinstance(seen.lines[0], str)


BEGIN, END, OTHER = b"# BEGIN docknet@shop\n", b"# END docknet@shop\n", b"# BEGIN docknet@shop2\n"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"x\n" + BEGIN + b"1.2.3.4 a\n", (2,)),
        (END, (1,)),
        (BEGIN + END + b"x\n" + BEGIN + END, (1, 2, 4, 5)),
        (BEGIN + BEGIN + END, (1, 2, 3)),
        (END + BEGIN, (1, 2)),
        (BEGIN + OTHER + END, (1, 3)),
    ],
)
def test_damage_is_an_error(content, lines):
    for attempt in (lambda: find(content, "shop"), lambda: put(content, "shop", [WEB]), lambda: take(content, "shop")):
        with pytest.raises(Damaged) as caught:
            attempt()
        assert caught.value.lines == lines


def test_damage_of_another_is_not_ours():
    content = b"# BEGIN docknet@broken\n1.2.3.4 a\n"
    assert take(put(content, "shop", [WEB]), "shop") == content
