# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container_hosts_link through real Ansible on a lab host: the life of a block, and what a running container sees of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Lab

MODULE = "netwright.docknet.container_hosts_link"
FILE = "/etc/netns/client/hosts"
NETWORK = """
ip netns add client; ip netns add web; ip -n client link add eth0 type veth peer name eth0 netns web
ip -n client address add 172.17.0.2/16 dev eth0; ip -n web address add 172.17.0.3/16 dev eth0
"""
LINK = {"container": "client", "links": [{"to": "web", "names": ["web", "www"]}], "owner": "shop"}
TWO = {**LINK, "links": [*LINK["links"], {"to": "192.0.2.17", "names": ["registry.example.com"]}]}
ABSENT = {"container": "client", "owner": "shop", "state": "absent"}


@pytest.fixture(name="node", scope="module")
def fixture_node():
    with Lab(f"hosts{os.getpid()}", ["node1"]) as lab:
        yield lab


@pytest.fixture(name="play")
def fixture_play(node, tmp_path):
    """Run tasks on the lab host, with a network of its own that is gone afterwards. Returns what Ansible printed."""
    (tmp_path / "inventory.yml").write_text(node.inventory(sys.executable))

    def play(*tasks):
        flat = [step for task in tasks for step in (task if isinstance(task, list) else [task])]
        (tmp_path / "play.json").write_text(json.dumps([{"hosts": "node1", "gather_facts": False, "tasks": flat}]))
        command = [sys.executable, "-m", "ansible", "playbook", "--diff", "-i", "inventory.yml", "play.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return done.stdout

    host = node.hosts["node1"]
    host.run(["sh", "-euc", NETWORK])
    yield play
    host.run(["sh", "-euc", "ip netns del client; ip netns del web; rm -rf /etc/netns"])


def run(words, register, check=False, **keywords):
    return {MODULE: words, "register": register, "check_mode": check, **keywords}


def refused(words, register, *sentences):
    """The task fails with these sentences, and says that it has done nothing."""
    conditions = [f"{register} is failed", f"{register} is not changed", f"{register}.actions == []"]
    conditions += [f"sentences[{number}] in {register}.msg" for number in range(len(sentences))]
    told = {**expect(*conditions), "vars": {"sentences": sentences}}
    return [run(words, register, ignore_errors=True), told]


def untouched(*tasks):
    """After these tasks the files of all containers are what they were."""
    look = shell("find /etc/netns -type f -exec md5sum {} +; find /etc/netns -printf '%p %i %m %s %t\\n' | sort")
    same = expect("files_before.stdout == files_after.stdout")
    return [
        {**look, "register": "files_before"},
        *(step for task in tasks for step in task),
        {**look, "register": "files_after"},
        same,
    ]


def shell(line, **keywords):
    return {"ansible.builtin.shell": line, "changed_when": False, **keywords}


def expect(*conditions):
    return {"ansible.builtin.assert": {"that": list(conditions), "quiet": True}}


def content(text):
    """The container's hosts file ends in these lines; "" where it is not there."""
    return [
        shell(f"cat {FILE} 2>/dev/null || :", register="file"),
        {**expect("file.stdout.endswith(text)"), "vars": {"text": text}},
    ]


BLOCK = "\n# BEGIN docknet@shop\n{}\n# END docknet@shop"
ONE_LINE = BLOCK.format("172.17.0.3\tweb www")
TWO_LINES = BLOCK.format("172.17.0.3\tweb www\n192.0.2.17\tregistry.example.com")


def test_the_life_of_a_block(play):
    """The ten steps: checked, created, repeated; checked, changed, repeated; foreign, bad; removed, repeated."""
    output = play(
        run(LINK, "checked", check=True),
        shell("test ! -e /etc/netns"),
        run(LINK, "created"),
        expect(
            "checked is changed",
            "created is changed",
            "checked.actions == created.actions",
            "checked.diff == created.diff",
            "checked.hosts == created.hosts",
            "created.actions == [{'action': 'create', 'object': 'hosts block shop in client', 'reason': 'missing, and the file with it'}]",
            "created.hosts[0].lines == ['172.17.0.3\\tweb www']",
            f"created.hosts[0].path == '{FILE}'",
        ),
        content(ONE_LINE),
        run(LINK, "repeated"),
        expect("repeated is not changed", "repeated.actions == []", "repeated.hosts == created.hosts"),
        run(TWO, "check_change", check=True),
        content(ONE_LINE),
        run(TWO, "changed"),
        expect("check_change is changed", "changed is changed", "check_change.actions == changed.actions"),
        expect("changed.actions | map(attribute='reason') == ['192.0.2.17 registry.example.com is new']"),
        content(TWO_LINES),
        run(TWO, "change_repeated"),
        expect("change_repeated is not changed"),
        run({**LINK, "owner": "other"}, "beside"),
        content(TWO_LINES + BLOCK.format("172.17.0.3\tweb www").replace("shop", "other")),
        run({**ABSENT, "owner": "other"}, "beside_gone"),
        content(TWO_LINES),
        refused(
            {**LINK, "container": "clientx"}, "foreign", 'namespace "clientx" does not exist (did you mean "client"?)'
        ),
        refused(
            {**LINK, "links": [{"to": "web", "names": ["bad name"]}]},
            "bad",
            "links[0].names[0] 'bad name' is no host name",
        ),
        run(ABSENT, "check_removed", check=True),
        content(TWO_LINES),
        run(ABSENT, "removed"),
        expect("check_removed is changed", "removed is changed", "check_removed.actions == removed.actions"),
        expect("removed.hosts[0].present == false", "removed.hosts[0].lines == []"),
        shell("test ! -e /etc/netns"),
        run(ABSENT, "gone"),
        expect("gone is not changed", "gone.actions == []"),
    )
    # A person can read the difference.
    assert '+            "192.0.2.17\\tregistry.example.com"' in output


def test_a_foreign_object_is_not_touched(play):
    """Where the file goes is somebody's symbolic link; and somebody's block has lost its end."""
    play(
        shell(f"mkdir -p /etc/netns/client; ln -s /etc/hosts {FILE}"),
        untouched(
            refused(LINK, "linked", f"{FILE} is a symbolic link, not a plain file"),
            refused(ABSENT, "unlinked", f"{FILE} is a symbolic link, not a plain file"),
        ),
        shell(f"rm {FILE}; printf '# BEGIN docknet@shop\\n1.2.3.4 x\\n' > {FILE}"),
        untouched(
            refused(LINK, "damaged", 'the marks of owner "shop" (line 1) are not one BEGIN followed by its END'),
        ),
    )


BAD = [
    ({"links": [{"to": "web", "names": ["localhost"]}]}, "'localhost' means every host itself"),
    ({"links": [{"to": "web", "names": ["a\n1.2.3.4 bank"]}]}, "bank' is no host name"),
    ({"links": [{"to": "172.17.0.300", "names": ["a"]}]}, "'172.17.0.300' is no address"),
    (
        {"links": [{"to": "web", "names": ["a"]}, {"to": "client", "names": ["A"]}]},
        "'A' is given to eth0 in web already",
    ),
    ({"links": None}, "container_hosts_link client: links are missing"),
    ({"path": "/etc/hosts"}, "path '/etc/hosts' is given beside container"),
    ({"container": "../../etc"}, "container '../../etc' is no name for a namespace"),
]


def test_bad_input_changes_nothing_not_even_for_the_good(play):
    """What is wrong with the words is said at once for all; what is not there, before the first change."""
    good = {"container": "web", "links": [{"to": "client", "names": ["client"]}]}
    missing = {**LINK, "links": [{"to": "web", "names": ["a"], "interface": "eth7"}]}
    words = [good, *({**LINK, **bad} for bad, _sentence in BAD)]
    play(
        untouched(
            refused({"config": words}, "bad", *(sentence for _bad, sentence in BAD)),
            refused({"config": [good, missing]}, "missing", 'interface "eth7" does not exist in web'),
        ),
    )


def test_check_mode_before_anything_is_there(play):
    words = {"container": "later", "links": [{"to": "soon", "names": ["soon"]}]}
    play(
        run(words, "checked", check=True),
        expect(
            "checked is changed",
            "checked.hosts[0].lines == ['unknown\\tsoon']",
            "checked.warnings | length == 3",
            "checked.warnings | select('search', 'taken as made by an earlier task') | length == 3",
        ),
        shell("test ! -e /etc/netns"),
    )


def test_many_at_once_and_the_line_follows_under_a_running_container(play):
    """A process that has the file mounted sees each change; the task says what it is."""
    both = {"config": [LINK, {"container": "web", "links": [{"to": "client", "names": ["client"]}], "owner": "shop"}]}
    loop = "while :; do getent hosts web localhost > /run/seen.new || echo failed >> /run/failed; mv /run/seen.new /run/seen; done"
    move = "ip -n web address flush dev eth0; ip -n web address add 172.17.0.44/16 dev eth0"
    play(
        run(both, "both"),
        expect("both.actions | length == 2", "both.hosts | map(attribute='container') | list == ['client', 'web']"),
        shell(f"stat -c %i {FILE}", register="inode"),
        shell(f"ip netns exec client sh -c '{loop}' > /dev/null 2>&1 & echo $!", register="loop"),
        shell(move),
        run(LINK, "followed"),
        expect("followed.actions | map(attribute='reason') == ['172.17.0.44 web www in place of 172.17.0.3 web www']"),
        shell("sleep 0.3; cat /run/seen", register="seen"),
        expect("seen.stdout_lines[0].split() == ['172.17.0.44', 'web', 'www']"),
        shell(f"stat -c %i {FILE}", register="inode_after"),
        expect("inode.stdout == inode_after.stdout"),
        shell("kill {{ loop.stdout }}; test ! -e /run/failed"),
    )
