# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules wanted and tables found, for property tests: of the planner on its own, and of the planner on the real kernel.

There are few addresses and ports, so that rules meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import effect
from ansible_collections.netwright.docknet.plugins.module_utils._model.errors import DocknetError
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Operation, Wanted, World
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import (
    EVERY_ADDRESS,
    MASQUERADE,
    Dnat,
    Path,
    Ports,
    Snat,
    Table,
)
from hypothesis import assume
from hypothesis import strategies as st

OWNER, OTHER = "shop", "shop2"
PATHS = {
    "172.17.0.3": Path("docknet0", ip_network("172.17.0.0/16"), localnet=False),
    "172.17.0.4": Path("docknet0", ip_network("172.17.0.0/16"), localnet=False),
    "172.18.0.3": Path("other0", ip_network("172.18.0.0/16"), localnet=True),
    "fd17::3": Path("docknet0", ip_network("fd17::/64"), localnet=False),
}
HOSTS = ("0.0.0.0", "::", "127.0.0.1", "172.17.0.1", "172.18.0.1", "fd17::1")
PORTS = (Ports(8080, 8080), Ports(8081, 8081), Ports(8080, 8082), Ports(8081, 8090), Ports(9000, 9003))
ALLOWED = {
    4: [(), ("0.0.0.0/0",), ("10.0.0.0/8",), ("10.0.0.0/9", "192.0.2.1/32")],
    6: [(), ("::/0",), ("fd00::/8", "2001:db8::1/128")],
}
SOURCES = ("172.17.0.0/16", "172.17.9.0/24", "172.18.0.0/16", "fd17::/64")
DEVICES = ("docknet0", "other0")


def bare() -> World:
    """A machine with two bridges, of which one had route_localnet on before us."""
    world = World(namespaces={None: Namespace("")}, tables={None: Table()})
    world.targets = {(None, ip_address(text)): path for text, path in PATHS.items()}
    own = {(None, ip_address(text)): Path("lo", ip_network(text), own=True) for text in HOSTS}
    world.targets.update(own)
    return world


def apply(world: World, operations: Sequence[Operation]) -> World:
    new = world.copy()
    for operation in operations:
        effect(new, operation)
    return new


flag = st.sampled_from([None, True, False])


@st.composite
def dnats(draw: st.DrawFn) -> Dnat:
    to_ip = ip_address(draw(st.sampled_from(sorted(PATHS))))
    hosts = [ip_address(text) for text in HOSTS if ip_address(text).version == to_ip.version]
    host_ip = draw(st.sampled_from([EVERY_ADDRESS[to_ip.version], *hosts]))
    ports = draw(st.sampled_from(PORTS))
    allowed = draw(st.sampled_from([None, *ALLOWED[to_ip.version]]))
    local = draw(flag)
    return Dnat(
        None,
        draw(st.sampled_from(["tcp", "udp"])),
        host_ip,
        ports,
        to_ip,
        draw(st.sampled_from([None, ports.first, 80])),
        None if allowed is None else frozenset(map(ip_network, allowed)),
        draw(flag),
        True if host_ip.is_loopback and local is False else local,
    )


@st.composite
def snats(draw: st.DrawFn) -> Snat:
    source = ip_network(draw(st.sampled_from(SOURCES)))
    to = draw(st.sampled_from([None, MASQUERADE, ip_address("10.0.0.9" if source.version == 4 else "fd00::9")]))
    beyond, out = draw(st.sampled_from([(None, None), ("docknet0", None), (None, "lan0"), ("other0", "lan0")]))
    return Snat(None, source, beyond, out, to)


def wish(value: object, present: bool = True, owner: str = OWNER, adopt: bool = False) -> Wanted:
    return Wanted(value, str(value), owner, present=present, adopt=adopt)


@st.composite
def wishes(draw: st.DrawFn, owner: str = OWNER) -> list[Wanted]:
    """What one run asks for: nothing twice, and no two rules that could be for one packet."""
    found: list[Wanted] = []
    for value in draw(st.lists(dnats() | snats(), max_size=5)):
        present = draw(st.integers(0, 3)) > 0
        if any(value.key == other.value.key for other in found):
            continue
        both = [other.value for other in found if isinstance(other.value, Dnat) and other.present]
        if present and isinstance(value, Dnat) and any(value.meets(other) for other in both):
            continue
        found.append(wish(value, present, owner))
    return found


@st.composite
def drifts(draw: st.DrawFn) -> list[tuple[str, int]]:
    """What somebody does to the table by hand: (how, which of what is there)."""
    how = st.sampled_from(["element", "line", "damage", "all", "switch"])
    return draw(st.lists(st.tuples(how, st.integers(0, 99)), max_size=3))


def drift(table: Table, how: str, which: int) -> Table:
    """The table after that. Rules are read off its elements anew, as from a real one."""
    from ansible_collections.netwright.docknet.plugins.module_utils._model import nft

    if how == "all":
        return Table()
    if how == "damage":
        return replace(table, damage=("chain guard is missing",)) if table.present else table
    if how == "switch" and table.switches:
        device = sorted(table.switches)[which % len(table.switches)]
        return replace(table, switches={**table.switches, device: False})
    if how == "line" and table.lines:
        gone = which % len(table.lines)
        lines = table.lines[:gone] + table.lines[gone + 1 :]
    else:
        lines = table.lines
    elements = dict(table.elements)
    if how == "element" and elements:
        del elements[sorted(elements)[which % len(elements)]]
    about: dict[str, frozenset] = {}
    for key, element in elements.items():
        published = nft.published_by(element)
        if published:
            about[published] = about.get(published, frozenset()) | {key}
    rules = {**nft.read(None, elements), **{line.snat.key: line.snat for line in lines if line.snat}}
    return replace(table, elements=elements, lines=lines, rules=rules, about=about)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[list[Wanted]], list[tuple[str, int]]]:
    """Earlier runs, of two owners, and what was done by hand since."""
    earlier = draw(st.lists(wishes() | wishes(OTHER), max_size=2))
    return earlier, draw(drifts())


def planned(plan, wanted: Sequence[Wanted], world: World, assume_too: bool = True):
    """The plan; rules that meet somebody else's are another test's matter."""
    try:
        return plan(wanted, world)
    except DocknetError:
        if assume_too:
            assume(False)
        return None
