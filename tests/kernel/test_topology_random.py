# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any topology, changed into any other, on the real kernel: foretold, built, changed, rebuilt, interrupted, removed.

DOCKNET_EXAMPLES asks for more of them, each time others. A name server runs for each set of networks, which is what takes long.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import pprint
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.netwright.docknet.tests.direct import call
from ansible_collections.netwright.docknet.tests.kernel.killed import killed
from ansible_collections.netwright.docknet.tests.kernel.machine import links, machine, portrait, sh
from ansible_collections.netwright.docknet.tests.topology_documents import pairs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("DOCKNET_EXAMPLES")
SAVED = Path("/var/lib/docknet/shop.json")


def few(number: int) -> settings:
    """In CI the same ones each time."""
    return settings(
        max_examples=int(EXAMPLES or number),
        derandomize=not EXAMPLES,
        database=None,
        # To make a failure smaller takes minutes; it is done when more examples are asked for.
        phases=list(Phase) if EXAMPLES else [Phase.explicit, Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# -- a machine with other people's things on it -----------------------------------------------------------------

FOREIGN = """
ip link set lo up
ip link add lan0 type veth peer name lan1
ip link set lan0 addrgenmode none; ip link set lan1 addrgenmode none
ip link set lan0 up; ip link set lan1 up
ip address add 198.51.100.1/24 dev lan0
ip route add default via 198.51.100.2
ip netns add other
ip link add other0 group 7 mtu 1300 type veth peer name eth0 netns other
ip link set other0 addrgenmode none; ip -n other link set eth0 addrgenmode none
ip address add 192.0.2.1/25 dev other0
ip -n other link set eth0 up; ip link set other0 up
mkdir -p /etc/netns/other
printf '10.9.9.9\\tother # theirs' > /etc/netns/other/hosts
nft -f - <<'.'
table inet other {
    set ports { type inet_service; elements = { 22, 8080 } }
    chain input { type filter hook input priority filter + 5; policy accept; tcp dport @ports accept comment "docknet:shop"; }
}
table ip nat { chain POSTROUTING { type nat hook postrouting priority srcnat; oifname "other0" masquerade; }; }
.
"""
FILES = {
    "/etc/hosts": "127.0.0.1\tlocalhost\n192.0.2.77 printer",
    "/etc/resolv.conf": "nameserver 198.51.100.2\nsearch lan.example\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}
THEIRS = """
ip -d -o link show other0; ip -d -o address show dev lan0; ip -o address show dev other0
ip -n other -d -o link show eth0
nft list table inet other; nft list table ip nat
ls -i /etc/netns/other/hosts
cd /proc/sys/net/ipv4/conf
for link in lan0 other0 all; do grep . $link/rp_filter $link/route_localnet; done
"""


@contextlib.contextmanager
def host() -> Iterator[None]:
    """Be on it. What runs there at the end is ended."""
    with machine():
        for path, words in FILES.items():
            Path(path).write_text(words)
        sh(FOREIGN)
        try:
            yield
        finally:
            for pid in running():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def running() -> list[int]:
    """Processes on this machine, beside the test's."""
    here = os.stat("/proc/self/ns/net").st_ino
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "ns/net").stat().st_ino == here and int(entry.name) != os.getpid():
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append(int(entry.name))
    return found


def theirs() -> list[Any]:
    """Everything of other people's, to the byte."""
    files = [*FILES, "/etc/netns/other/hosts"]
    return [sh(THEIRS), *((path, Path(path).read_bytes()) for path in files), os.stat("/run/netns/other").st_ino]


def traces() -> dict[str, Any]:
    """All that could be left of us."""
    folders = ("/etc/netns", "/run/docknet/service", "/var/lib/docknet", "/run/netns")
    files = [str(path) for folder in folders for path in sorted(Path(folder).rglob("*"))]
    return {**portrait(), "files": files, "tables": sh("nft list tables"), "running": len(running())}


def settled(clean: dict[str, Any]) -> dict[str, Any]:
    """A namespace that was deleted ends a moment later, and so does a process that was told to.

    An empty file of a namespace's name is nobody's: a run that dies between making it and mounting on it leaves one.
    """
    for path in Path("/run/netns").iterdir():
        if not os.path.ismount(path):
            path.unlink()
    end = time.monotonic() + 3
    while (found := traces()) != clean and time.monotonic() < end:
        time.sleep(0.02)
    return found


# -- what is on it ----------------------------------------------------------------------------------------------


def run(document: dict[str, Any], **words: Any) -> dict[str, Any]:
    return call("topology", topology=document, **words)


def steps(answer: dict[str, Any]) -> list[str]:
    assert not answer.get("failed"), answer["msg"]
    return [f"{one['action']} {one['object']}: {one['reason']}" for one in answer["actions"]]


def change(document: dict[str, Any], **words: Any) -> dict[str, Any]:
    """The run, foretold by check mode, and nothing left to do. What has to be made anew is refused first, and done when asked for."""
    foretold = run(document, _ansible_check_mode=True, **words)
    if foretold.get("failed"):
        refused = run(document, **words)
        assert "recreate: true" in foretold["msg"], foretold["msg"]
        assert (refused["msg"], refused["actions"]) == (foretold["msg"], [])
        words["recreate"] = True
        foretold = run(document, _ansible_check_mode=True, **words)
    wanted = steps(foretold)
    done = run(document, **words)
    assert steps(done) == wanted
    assert done["diff"] == foretold["diff"]
    again = run(document, **words)
    assert steps(again) == []
    assert again.get("topology") == done.get("topology") == foretold.get("topology")
    return done


def remove() -> None:
    change({"name": "shop"}, state="absent")


def identities(answer: dict[str, Any]) -> dict[Any, int]:
    """What a link and a namespace are to those who use them: index and inode, by whose they are."""
    here = links()
    found: dict[Any, int] = {}
    for name, one in answer["topology"]["networks"].items():
        if one["device"]:
            found[name] = here[one["device"]]["ifindex"]
    for name, one in answer["topology"]["containers"].items():
        if one["netns"] is None:
            continue
        found[name, "netns"] = os.stat(f"/run/netns/{one['netns']}").st_ino
        inside = links(one["netns"])
        for network, end in one["networks"].items():
            found[name, network] = inside[end["interface"]]["ifindex"]
    return found


def same(before: dict[str, Any], after: dict[str, Any]) -> list[Any]:
    """What of two documents is in both in the same way: networks; and containers, on networks that are the same too."""
    nets = [name for name, one in before["networks"].items() if after["networks"].get(name) == one]
    stay = [*nets, "default", "bridge"]
    found: list[Any] = list(stay)
    for name, one in before["containers"].items():
        if after["containers"].get(name) != one or one.get("network_mode", "").startswith(("container:", "host")):
            continue
        mine = [one["network_mode"]] if one.get("network_mode") == "bridge" else []
        if "network_mode" not in one:
            mine = list(one.get("networks", ["default"]))
        if set(mine) <= set(stay):
            found += [(name, "netns"), *((name, network) for network in mine)]
    return found


def look(document: dict[str, Any]) -> dict[str, Any]:
    """All that follows from a document and what was chosen for it.

    The unfinished name of a new file stays where a run dies before taking it away, and goes with the file.
    """
    names = [(str(path), path.read_text()) for path in sorted(Path("/etc/netns").glob("*/[!.]*"))]
    services = sorted(
        path.read_text() for path in Path("/run/docknet/service").glob("*/*") if path.name not in ("pid", "log")
    )
    return {
        **portrait(),
        "names": names,
        "services": services,
        "rules": rules(),
        "sysctls": switches(),
        "saved": saved(),
    }


def difference(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What only one of two portraits has, as a diff: side by side they are too long to be read."""
    return [line for line in difflib.ndiff(lines(one), lines(other)) if not line.startswith("  ")]


def lines(portrait: dict[str, Any]) -> list[str]:
    return pprint.pformat(portrait, width=200).splitlines()


def saved() -> bytes | None:
    """What is remembered of a topology; nothing where there was nothing to choose."""
    return SAVED.read_bytes() if SAVED.exists() else None


def remember(words: bytes | None) -> None:
    SAVED.parent.mkdir()
    if words is not None:
        SAVED.write_bytes(words)


def rules() -> list[str]:
    """Our tables, in an order of their own where theirs means nothing."""
    found = []
    for entry in json.loads(sh("nft -j list ruleset"))["nftables"]:
        for kind, one in entry.items():
            if kind != "metainfo" and "docknet" in (one.get("table") or one["name"]):
                one.pop("handle", None)
                if "elem" in one:
                    one["elem"] = sorted(json.dumps(each, sort_keys=True) for each in one["elem"])
                found.append(json.dumps({kind: one}, sort_keys=True))
    return sorted(found)


def switches() -> dict[str, str]:
    """The kernel's settings of each link of ours on the host. Forwarding is the host's, and stays on."""
    found = {}
    for name, link in links().items():
        if link["group"] not in ("default", "7"):
            for path in (
                "ipv4/conf/{}/rp_filter",
                "ipv4/conf/{}/route_localnet",
                "ipv6/conf/{}/disable_ipv6",
            ):
                file = Path("/proc/sys/net", path.format(name))
                found[str(file)] = file.read_text()
    return found


# -- the properties ---------------------------------------------------------------------------------------------


@few(24)
@given(pairs())
def test_a_topology_becomes_another_one(documents):
    before, after = documents
    with host():
        clean, foreign = traces(), theirs()
        first = change(before)
        had = identities(first)
        second = change(after)
        has = identities(second)
        assert theirs() == foreign
        for what in same(before, after):
            assert what not in had or what not in has or had[what] == has[what], what
            if isinstance(what, tuple) and what in had and what[1] != "netns":
                assert lease(first, what) == lease(second, what)
        became, kept = look(after), saved()
        remove()
        assert theirs() == foreign
        assert difference(clean, settled(clean)) == []
    with host():
        remember(kept)
        anew = run(after)
        assert anew.get("topology") == second["topology"], anew.get("msg")
        assert difference(became, look(after)) == []


def lease(answer: dict[str, Any], what: tuple[str, str]) -> dict[str, Any]:
    return answer["topology"]["containers"][what[0]]["networks"][what[1]]


@few(6)
@given(pairs(), st.integers(0, 90))
def test_a_run_that_is_killed_is_made_good_by_the_next(documents, count):
    before, after = documents
    with host():
        clean, foreign = traces(), theirs()
        change(before)
        foretold = run(after, recreate=True, _ansible_check_mode=True)
        killed(count, after, recreate=True)
        assert change(after)["topology"] == foretold["topology"]
        assert theirs() == foreign
        became, kept = look(after), saved()
        killed(count, {"name": "shop"}, state="absent")
        remove()
        assert theirs() == foreign
        assert difference(clean, settled(clean)) == []
    with host():
        remember(kept)
        assert "failed" not in run(after)
        assert difference(became, look(after)) == []
