# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever changes, and wherever a run dies: no link is up before the rules that guard it stand, nor after they have gone.

From any networks to any others, step by step through the plan: while links go and come, the packet filter has all guards of
before and of afterwards, and lets through nothing but what is let through before and afterwards.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from ansible_collections.netwright.docknet.plugins.module_utils._engine.effect import effect
from ansible_collections.netwright.docknet.plugins.module_utils._engine.plan import plan
from ansible_collections.netwright.docknet.plugins.module_utils._model.bridge import Bridge
from ansible_collections.netwright.docknet.plugins.module_utils._model.filter import GUARDS, SEGMENTS, device_of
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import (
    Birth,
    Link,
    LinkAddress,
    LinkKey,
    Settings,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace, Sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._model.rule import Dnat, Ports, Snat, Table
from ansible_collections.netwright.docknet.plugins.module_utils._model.segment import (
    NAT,
    ROUTED,
    UNPROTECTED,
    Opening,
    Segment,
)
from ansible_collections.netwright.docknet.plugins.module_utils._model.service import Service
from ansible_collections.netwright.docknet.plugins.module_utils._model.veth import Veth
from ansible_collections.netwright.docknet.tests.worlds import OWNER, bare, wish
from hypothesis import given, settings
from hypothesis import strategies as st

NETWORKS = {"br0": "10.0.0", "br1": "10.0.1"}
CONTAINERS = ("web", "db", "cat")
MOVES = (Birth, Link, LinkAddress, Settings)


@st.composite
def container(draw: st.DrawFn, name: str, devices: list[str]) -> list[object]:
    """Its namespace, a pair whose host's end is a port of a bridge, and maybe a published port."""
    device = draw(st.sampled_from(devices))
    # Few addresses, so that one container gets what another one had.
    address = f"{NETWORKS[device]}.{draw(st.sampled_from((2, 3, 4)))}"
    end, inside = LinkKey(None, f"v-{name}"), LinkKey(name, "eth0")
    found: list[object] = [
        Namespace(name),
        Link(end, data=Veth(inside), master=device, up=True, owner=OWNER),
        Link(inside, data=Veth(end), up=True, owner=OWNER, addresses=frozenset({ip_interface(f"{address}/24")})),
    ]
    if draw(st.booleans()):
        port = draw(st.sampled_from((8080, 8081)))
        allowed = frozenset({ip_network(draw(st.sampled_from(("0.0.0.0/0", "192.0.2.0/24"))))})
        local = draw(st.booleans())
        end4 = ip_address("0.0.0.0")
        found.append(Dnat(None, "tcp", end4, Ports(port, port), ip_address(address), 80, allowed, local=local))
    return found


@st.composite
def networks(draw: st.DrawFn) -> list[object]:
    """What is wanted of up to two bridges with containers on them; no address and no port twice."""
    devices = draw(st.lists(st.sampled_from(sorted(NETWORKS)), unique=True))
    some = draw(st.lists(st.sampled_from(CONTAINERS), unique=True)) if devices else []
    ends: dict[str, list[object]] = {}
    for name in some:
        values = draw(container(name, devices))
        taken = {key(value) for one in ends.values() for value in one}
        if not taken & {key(value) for value in values}:
            ends[name] = values
    found: list[object] = []
    numbers = draw(st.permutations((5, 6, None)))  # of a VXLAN: two networks may swap theirs
    for device in devices:
        gateway = ip_address(f"{NETWORKS[device]}.1")
        ports = {link.key.name for values in ends.values() for link in values if getattr(link, "master", "") == device}
        inside = {
            one.ip
            for values in ends.values()
            for link in values
            for one in getattr(link, "addresses", None) or ()
            if one.ip in ip_network(f"{NETWORKS[device]}.0/24")
        }
        icc, number = draw(st.booleans()), draw(st.sampled_from((5301, 5302)))
        found += [
            Link(
                LinkKey(None, device),
                data=Bridge(),
                up=True,
                owner=OWNER,
                addresses=frozenset({ip_interface(f"{gateway}/24")}),
            ),
            Segment(
                None,
                device,
                icc=icc,
                internal=draw(st.booleans()),
                modes={4: draw(st.sampled_from((NAT, ROUTED, UNPROTECTED))), 6: NAT},
                ports=frozenset() if icc else frozenset(ports),
                openings=frozenset(Opening(one, "tcp", Ports(80, 80)) for one in inside if draw(st.booleans())),
                trusted=frozenset({"lan0"} if draw(st.booleans()) else ()),
                resolvers=dict.fromkeys(inside, number) if draw(st.booleans()) else {},
                nameservers=frozenset({gateway}),
                vni=numbers.pop(),
                vteps=frozenset({ip_network("198.51.100.2")}),
            ),
            Service(f"names-{device}", command=("dnsmasq", str(number))),
        ]
        if draw(st.booleans()):
            found.append(
                Snat(None, ip_network(f"{NETWORKS[device]}.0/24"), except_out_interface=device, to="masquerade")
            )
    found += [value for values in ends.values() for value in values]
    return found + ([Sysctl(None, ("net", "ipv4", "ip_forward"), "1")] if draw(st.booleans()) else [])


def key(value: object) -> object:
    """What two containers cannot both have."""
    if isinstance(value, Link) and value.addresses:
        return min(value.addresses)
    return value.key if isinstance(value, (Link, Dnat)) else str(value)


def gone(before: list[object], after: list[object]) -> list[object]:
    """As a topology's run finds what is no longer in its document."""
    kept = {(type(value), getattr(value, "key", None) or str(value)) for value in after}
    left = [value for value in before if (type(value), getattr(value, "key", None) or str(value)) not in kept]
    return [
        value for value in left if not isinstance(value, Sysctl) and not (isinstance(value, Link) and value.key.netns)
    ]


def elements(table: Table, guards: bool, devices: set[str]) -> set[tuple[str, str]]:
    return {
        place
        for place, element in table.elements.items()
        if device_of(element) in devices and (element.set in GUARDS) is guards
    }


@settings(max_examples=80, deadline=None)
@given(networks(), networks())
def test_nothing_is_open_between_two_steps_that_is_closed_before_or_afterwards(before, after):
    world = plan([wish(value) for value in before], bare()).world
    wanted = [*(wish(value) for value in after), *(wish(value, present=False) for value in gone(before, after))]
    todo = plan(wanted, world)
    first, last = world.tables.get(None) or Table(), todo.world.tables.get(None) or Table()
    both = set(first.segments) & set(last.segments)
    moving = [at for at, step in enumerate(todo.operations) if isinstance(step.value, MOVES) and not step.first]
    fresh = {step.value.address.ip for step in todo.operations if isinstance(step.value, LinkAddress)}
    for at, step in enumerate(todo.operations):
        table = world.tables.get(None) or Table()
        if moving and moving[0] <= at <= moving[-1]:
            every = set(first.segments) | set(last.segments)
            guards = elements(first, True, every) | elements(last, True, every)
            assert guards <= elements(table, True, every), (at, step)
            allowed = elements(first, False, both) & elements(last, False, both)
            assert elements(table, False, both) <= allowed, (at, step)
            # Whose source is hidden was so before its first packet, and is so after its last one.
            assert {one.key for one in (*first.snats, *last.snats)} <= {one.key for one in table.snats}, (at, step)
            # A published port leads to nobody but whom it led to before, or was to lead to all along.
            for rule in table.dnats:
                assert rule.key in last.rules, (at, step)
                assert (
                    rule.to_ip not in fresh or rule.to_ip == first.rules[rule.key].to_ip == last.rules[rule.key].to_ip
                )
        if isinstance(step.value, Sysctl):
            assert set(last.segments) <= set(table.segments), "the host forwards before its networks are guarded"
        effect(world, step)
    assert world.tables.get(None, Table()).elements == last.elements
    assert (SEGMENTS, "br0") in last.elements or "br0" not in last.segments
    assert plan(wanted, world).operations == ()
