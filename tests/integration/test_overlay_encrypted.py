# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted overlays by role topology: under a kernel that has WireGuard (`make test-vm`), and under one that has not.

What else their packets do is told in tests/vm. The tests tell one story, in the order they stand in STORY.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import sniffed
from ansible_collections.netwright.docknet.tests.lab.play import play_roles
from ansible_collections.netwright.docknet.tests.vm.encrypted import pings, udp_ports

NODES = ("node1", "node2")
DOCUMENT = {
    "name": "shop",
    "networks": {"net": {"driver": "overlay", "driver_opts": {"encrypted": ""}}},
    "containers": {"a1": {"host": "node1", "networks": ["net"]}, "b1": {"host": "node2", "networks": ["net"]}},
}
# What is read in packets, if anybody can read them.
PATTERN = "c0ffee0ddba11e5c"
LEFT = "ip -o link | grep -v -e ' lo:' -e ' eth0@'; ls -A /var/lib/docknet /run/netns; nft list ruleset"


def wireguard():
    """Whether the kernel has it."""
    command = ["unshare", "-n", "ip", "link", "add", "type", "wireguard"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture(name="lab", scope="module")
def fixture_lab():
    with Lab(f"enc{os.getpid()}", NODES) as lab:
        yield lab


@pytest.fixture(name="play", scope="module")
def fixture_play(lab, tmp_path_factory):
    """Run role topology, as a user would who has the collection installed: (exit code, all that was said)."""
    home = tmp_path_factory.mktemp("home")

    def once(raw, *options, inventory=None, **variables):
        # Facts are gathered once: on an emulated processor that takes a minute.
        words = {
            "ANSIBLE_LOG_PATH": str(home / "log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(home / "facts"),
        }
        done = play_roles(
            home, inventory or lab.inventory(), options=options, environment=words, docknet_topology=raw, **variables
        )
        return done.code, done.whole + (home / "log").read_text()

    return once


class Seen:
    """What there was to be seen while keys were made: all that was said, what processes were given, and the keys."""

    def __init__(self):
        self.texts, self.words, self.keys = [], set(), []


@pytest.fixture(name="seen", scope="module")
def fixture_seen():
    return Seen()


class Watch:
    """Adds the arguments and environments of all processes that begin meanwhile, and are seen."""

    def __init__(self, words):
        self._words, self._old, self._ends = words, set(os.listdir("/proc")), threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._ends.set()
        self._thread.join()

    def _look(self):
        while not self._ends.wait(0.05):
            for pid in filter(str.isdigit, set(os.listdir("/proc")) - self._old):
                for file in ("cmdline", "environ"):
                    try:
                        self._words.add(Path("/proc", pid, file).read_bytes())
                    except OSError:
                        continue


def key(host):
    return json.loads(host.run(["cat", "/var/lib/docknet/shop.key"]).stdout)


def left(host):
    said = host.run(["sh", "-c", LEFT], check=False).stdout
    return said.replace("/run/netns:", "").replace("/var/lib/docknet:", "").split()


def changed(text):
    """How many tasks changed something, by host."""
    return {host: int(number) for host, number in re.findall(r"^(\w+) +: ok=\d+ +changed=(\d+)", text, re.M)}


def reaches(lab, *options):
    """From a1 to b1, by its name."""
    return pings(lab.hosts["node1"], "a1", "b1", *options, patience=60)


def carries_nothing_else(lab):
    """Whether a packet gets there, and on its way neither itself, nor whose it is, is to be seen."""
    ends = [container(lab.hosts[host], name) for host, name in (("node1", "a1"), ("node2", "b1"))]
    with sniffed(lab.hosts["node2"]) as frames:
        assert reaches(lab, "-p", PATTERN, "-s", "200")
    assert udp_ports(frames) == {51820}
    assert {kind(frame) for frame in frames} <= {"udp", "arp", "icmpv6"}, "the hosts look for each other"
    for word in (bytes.fromhex(PATTERN), *(part for end in ends for part in end)):
        assert not any(word in frame for frame in frames)
    return True


def container(host, name):
    """Its MAC address and its IPv4 address, as packets have them."""
    [link] = json.loads(host.run(["ip", "-n", name, "-j", "address", "show", "eth0"]).stdout)
    address = next(one["local"] for one in link["addr_info"] if one["family"] == "inet")
    return bytes.fromhex(link["address"].replace(":", "")), IPv4Address(address).packed


def kind(frame):
    protocol = {b"\x08\x00": 23, b"\x86\xdd": 20}.get(frame[12:14])
    if protocol is None:
        return "arp" if frame[12:14] == b"\x08\x06" else frame[12:14].hex()
    # MLD goes behind a hop-by-hop header.
    return {17: "udp", 58: "icmpv6", 0: "icmpv6"}.get(frame[protocol], frame[protocol])


def files_with(host, word):
    """The files there that have it, each with its mode."""
    script = f"{{ grep -rlsF -e '{word}' /var/lib/docknet /run /etc /var/tmp; }} | xargs -r stat -c '%a %n'"
    return host.run(["sh", "-c", script], timeout=300).stdout.splitlines()


def refused_before_anything_is_changed(lab, play, _seen):
    code, text = play(DOCUMENT)
    assert code != 0
    assert re.search(r"Kernel \S+ has no links of type wireguard\. Install the package", text), text
    assert changed(text) == {"node1": 0, "node2": 0}
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]


def check_mode_foretells_it_and_does_nothing(lab, play, _seen):
    code, text = play(DOCUMENT, "--check")
    assert code == 0, text[-3000:]
    assert all(changed(text).values())
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]


def built(lab, play, seen):
    with Watch(seen.words):
        code, text = play(DOCUMENT, "-vvvv", "--diff")
    assert code == 0, text[-3000:]
    seen.texts.append(text)
    seen.keys.append({name: key(lab.hosts[name]) for name in NODES})
    assert reaches(lab)


def nothing_but_wireguard_is_on_the_underlay(lab, _play, _seen):
    assert carries_nothing_else(lab)


def all_get_new_keys(lab, play, seen):
    with Watch(seen.words):
        code, text = play(DOCUMENT, "-vvvv", "--diff", docknet_rekey=True)
    assert code == 0, text[-3000:]
    seen.texts.append(text)
    seen.keys.append({name: key(lab.hosts[name]) for name in NODES})
    assert len({one["public_key"] for pair in seen.keys for one in pair.values()}) == 4
    assert reaches(lab)
    assert carries_nothing_else(lab)


def private_keys_are_told_nobody(lab, _play, seen):
    assert seen.words
    for pair in seen.keys:
        for one in pair.values():
            assert any(one["public_key"] in text for text in seen.texts), "what is told is told"
            assert not any(one["private_key"] in text for text in seen.texts)
            assert not any(one["private_key"].encode() in words for words in seen.words)
    for name in NODES:
        for pair in seen.keys:
            assert files_with(lab.hosts[name], pair[name]["private_key"]) == (
                ["600 /var/lib/docknet/shop.key"] if pair is seen.keys[-1] else []
            )


def a_second_run_changes_nothing(_lab, play, _seen):
    code, text = play(DOCUMENT)
    assert (code, changed(text)) == (0, {"node1": 0, "node2": 0}), text[-3000:]


def no_new_keys_unless_everybody_gets_one(lab, play, seen):
    for options, away in (
        (["--limit=node1"], lab.inventory()),
        ([], lab.inventory().replace("/node2", "/node2-is-gone")),
    ):
        code, text = play(DOCUMENT, *options, inventory=away, docknet_rekey=True)
        assert code != 0
        assert "node2 cannot be given one in this run, so nothing is changed on any host" in " ".join(text.split())
    assert {name: key(lab.hosts[name]) for name in NODES} == seen.keys[-1]


def removed_without_a_trace(lab, play, _seen):
    code, text = play({"name": "shop"}, docknet_state="absent")
    assert code == 0, text[-3000:]
    assert [left(lab.hosts[name]) for name in NODES] == [[], []]


STORY = [
    check_mode_foretells_it_and_does_nothing,
    built,
    nothing_but_wireguard_is_on_the_underlay,
    all_get_new_keys,
    private_keys_are_told_nobody,
    a_second_run_changes_nothing,
    no_new_keys_unless_everybody_gets_one,
    removed_without_a_trace,
]


@pytest.mark.parametrize(
    "chapter", STORY if wireguard() else [refused_before_anything_is_changed], ids=lambda chapter: chapter.__name__
)
def test_by_the_role(lab, play, seen, chapter):
    chapter(lab, play, seen)
