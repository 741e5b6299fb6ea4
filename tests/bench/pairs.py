# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Veth pairs into namespaces, each with an address and a default route: the modules' work against `ip -batch` doing the same.

The peer is what the shell script that people write takes: namespaces in one `ip -batch`, links in another, then one
`ip -n NAME -batch` for each namespace, since a batch cannot change namespaces. The floor is what a Python script takes that
sends the modules' messages, looking at nothing and planning nothing, with what Ansible takes for the same arguments and answers.

    python tests/bench/pairs.py [--count 100] [--rounds 5]
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import frame

PREPARE = """mount -t tmpfs tmpfs /run && ip link add br0 type bridge && ip addr add 172.17.0.1/16 dev br0 &&
  ip link set br0 up || exit 1"""
GATEWAY = "172.17.0.1"


def numbered(count: int) -> list[tuple[int, str]]:
    """(number, address) of each container."""
    return [(number, f"172.17.{1 + number // 250}.{1 + number % 250}/16") for number in range(count)]


def peer(count: int, folder: Path) -> str:
    names = "".join(f"netns add c{number}\n" for number, _address in numbered(count))
    links = "".join(
        f"link add v{number} type veth peer name eth0 netns c{number}\nlink set v{number} master br0 up\n"
        for number, _address in numbered(count)
    )
    (folder / "names").write_text(names)
    (folder / "links").write_text(links)
    for number, address in numbered(count):
        lines = f"link set lo up\naddr add {address} dev eth0\nlink set eth0 up\nroute add default via {GATEWAY}\n"
        (folder / f"c{number}").write_text(lines)
    return f"""begin=$(date +%s%N)
      ip -batch {folder}/names && ip -batch {folder}/links || exit 1
      for number in $(seq 0 {count - 1}); do ip -n c$number -batch {folder}/c$number || exit 1; done
      echo $(( $(date +%s%N) - begin ))"""


def calls(count: int) -> list[frame.Call]:
    pairs = [
        {
            "a": {"name": f"v{number}", "master": "br0"},
            "b": {"name": "eth0", "netns": f"c{number}", "addresses": [address], "gateway": [GATEWAY]},
        }
        for number, address in numbered(count)
    ]
    return [
        ("netns", {"config": [{"name": f"c{number}"} for number in range(count)]}),
        ("veth_pair", {"config": pairs}),
    ]


def remove(count: int) -> list[frame.Call]:
    return [("netns", {"config": [{"name": f"c{number}", "state": "absent"} for number in range(count)]})]


def floor(count: int, answers: Sequence[dict[str, Any]]) -> float:
    from ansible_collections.netwright.docknet.plugins.module_utils._engine import run
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel import apply, host, namespaces
    from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
    from ansible_collections.netwright.docknet.tests.direct import call

    ready = iter(answers)
    run.execute = lambda module, _prepare: module.exit_json(
        **{**next(ready), "invocation": {"module_args": module.params}}
    )
    begin = time.perf_counter()
    with namespaces.shared_directory():
        for number in range(count):
            namespaces.create(f"c{number}", apply.mark(Namespace(f"c{number}", "docknet")))
    with host.Host() as here:
        for place, messages in batches(count, here):
            refused = [no for no in here.socket(place).send(messages) if no]
            assert not refused, refused
    for name, arguments in calls(count):
        call(name, **arguments)
    return time.perf_counter() - begin


def batches(count: int, here: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Births; what else is to be said of the ends on the host, then of those in each namespace."""
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel import links, veth
    from ansible_collections.netwright.docknet.plugins.module_utils._kernel import rtnetlink as rt
    from ansible_collections.netwright.docknet.plugins.module_utils._model.link import Birth, Link, LinkKey, Route
    from ansible_collections.netwright.docknet.plugins.module_utils._model.owner import altname
    from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth

    bridge = rt.link_index(here.socket(None).get(rt.get_link("br0")))
    births, keys = [], {}
    for number in range(count):
        mine, other = keys[number] = LinkKey(None, f"v{number}"), LinkKey(f"c{number}", "eth0")
        birth = Birth(Link(mine, Veth(other), "docknet"), Link(other, Veth(mine), "docknet"))
        data = veth.encode(birth, {other.netns: here.descriptor(other.netns)})
        births.append(rt.new_link(birth.link, data, master=bridge))
    yield None, births
    index = {rt.link_name(one): rt.link_index(one) for one in links.links_of(here.socket(None))}
    marked = {"up": True, "hairpin": True}
    yield (
        None,
        [
            message
            for mine, _other in keys.values()
            for message in rt.set_link(index[mine.name], {**marked, "altname": altname("docknet", mine.name)})
        ],
    )
    default = Route(ip_network("0.0.0.0/0"), ip_address(GATEWAY), 0)
    for number, address in numbered(count):
        other = keys[number][1]
        at = rt.link_index(here.socket(other.netns).get(rt.get_link("eth0")))
        messages = rt.set_link(at, {"up": True, "altname": altname("docknet", "eth0")})
        messages.append(rt.address_message(rt.RTM_NEWADDR, at, ip_interface(address)))
        yield other.netns, [*messages, rt.route_message(rt.RTM_NEWROUTE, at, default)]


if __name__ == "__main__":
    frame.main(frame.Bench("pairs", PREPARE, peer, calls, remove, floor), rounds=5)
