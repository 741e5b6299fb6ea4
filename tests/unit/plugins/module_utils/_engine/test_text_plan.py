# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning of small files that are wholly ours, and how they are marked and read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import facts, plan, question
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import Conflict, Missing
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.text import TextFile, TextKey, read
from hypothesis import given
from hypothesis import strategies as st

KEY = TextKey("web", "resolv.conf")
FILE = TextFile(KEY, lines=("nameserver 10.0.0.1", "options ndots:0"))
SEEN = replace(FILE, owner="shop")


def want(file=FILE, present=True, owner="shop", adopt=False):
    return Wanted(file, str(file), owner, present, adopt)


def host(*files, namespaces=("web",)):
    return World(
        namespaces={None: Namespace(""), **{name: Namespace(name) for name in namespaces}},
        texts={one.key: one for one in files},
    )


def steps(wanted, world, **words):
    return [tuple(one.report().values()) for one in plan([wanted], world, **words).operations]


def test_what_is_looked_at():
    assert (question([want()]).texts, question([want()]).namespaces) == ({KEY}, {"web"})
    assert question([want(present=False)]).namespaces == set()


def test_made_left_alone_changed_and_removed():
    path = "file /etc/netns/web/resolv.conf"
    assert steps(want(), host()) == [("create", path, "missing")]
    assert steps(want(), host(SEEN)) == []
    assert steps(want(present=False), host(SEEN)) == [("delete", path, "to be absent")]
    assert steps(want(present=False), host()) == []


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("nameserver 10.0.0.9", "options ndots:0"), '"nameserver 10.0.0.1" in place of "nameserver 10.0.0.9"'),
        (("nameserver 10.0.0.1",), '"options ndots:0" is new'),
        ((*FILE.lines, "search lan"), '"search lan" is too much'),
        (FILE.lines[::-1], "in another order"),
    ],
)
def test_a_change_says_what_of_it(lines, reason):
    assert steps(want(), host(replace(SEEN, lines=lines)))[0][2] == reason


def test_whose_it_is():
    for words in ({"adopt": True}, {"present": False}):
        with pytest.raises(Conflict, match='belongs to owner "other"'):
            plan([want(**words)], host(replace(SEEN, owner="other")))
        with pytest.raises(Conflict, match="adopt: true"):
            plan([want(**{**words, "adopt": False})], host(replace(SEEN, owner=None)))
    made = plan([want(adopt=True)], host(replace(SEEN, owner=None)))
    assert made.operations[0].reason == "adopted" and made.world.texts == {KEY: SEEN}


def test_its_namespace_must_be_there_or_come():
    with pytest.raises(Missing):
        plan([want()], host(namespaces=()))
    made = plan([want(), Wanted(Namespace("web"), "netns web", "shop")], host(namespaces=()))
    assert [one.action for one in made.operations] == ["create", "create"]


def test_what_is_shown():
    made = plan([want()], host(replace(SEEN, lines=("nameserver 10.0.0.9",))))
    assert made.before[str(FILE)] == {"owner": "shop", "lines": ["nameserver 10.0.0.9"]}
    assert made.after[str(FILE)] == {"owner": "shop", "lines": list(FILE.lines)}
    assert facts([want()], host(SEEN)) == {
        "files": [{"path": KEY.path, "present": True, "lines": ["nameserver 10.0.0.1", "options ndots:0"]}]
    }


def test_a_file_without_our_mark_is_nobody_s():
    assert read(KEY, b"nameserver 1.1.1.1\n") == TextFile(KEY, None, ("nameserver 1.1.1.1",))
    assert read(KEY, b"") == TextFile(KEY, None, ())
    assert read(KEY, b"# docknet@sh op: x\n").owner is None
    assert read(KEY, b"\xff\n").lines == ("\\xff",)
    assert read(KEY, b"# docknet@shop: in other words\na\n\nb") == TextFile(KEY, "shop", ("a", "", "b"))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]))).map(tuple))
def test_what_is_written_is_what_is_read(lines):
    file = TextFile(KEY, "shop-1.a", lines)
    assert read(KEY, file.content.encode()) == file
