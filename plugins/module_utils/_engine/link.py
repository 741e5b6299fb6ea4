# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of links: what is missing is born, what differs is set, what is too much goes.

Generic over kinds: what may change and what may not is said by the kind's own value (`Kind.IDENTITY`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from .._model.bridge import MAX_PORTS, Bridge
from .._model.child import Child
from .._model.errors import Conflict, InvalidRequest
from .._model.link import Birth, Kind, Link, LinkKey, Other, Settings
from .._model.macvlan import Macvlan
from .._model.owner import altname
from .._model.plan import Question, Wanted
from .._model.veth import Veth
from .._model.vxlan import Vxlan
from . import addressing, child, ipvlan, macvlan, neighbour, properties, route, vxlan
from .draft import Draft, a, claim
from .effect import NEW_PORT, ports_of
from .properties import because, current, wishes

describe, facts, finish = properties.describe, properties.facts, route.finish

AGAIN = "set recreate: true (of role topology: docknet_recreate) to have it deleted and made again"
LEFT = "left over from a namespace that was deleted"
PORT_SETTINGS = NEW_PORT.keys()


def question(wanted: Wanted) -> Question:
    link: Link = wanted.value
    refs = {link.key.netns} | {key.netns for key in relatives(link)}
    asked = Question(namespaces=set(refs), links=set(refs), owners={wanted.owner})
    asked.add(addressing.question(link))
    if not wanted.present:
        asked.addresses |= refs  # of one that is given back ours go
    asked.neighbours |= {(link.key.netns, key.netns) for key in relatives(link) if key.netns != link.key.netns}
    if isinstance(link.data, Child):
        asked.add(child.question(link.key))
        asked.add(ipvlan.question(wanted))
    asked.add(neighbour.question(link))
    asked.add(vxlan.question(wanted))
    return asked


def relatives(link: Link) -> tuple[LinkKey, ...]:
    """The links another namespace may hold that this one is tied to: its parent, its peer."""
    if isinstance(link.data, Veth) and link.data.peer.name:
        return (link.data.peer,)
    return tuple(getattr(link.data, name) for name in link.data.LINKS) if link.data else ()


def prepare(draft: Draft) -> None:
    macvlan.prepare(draft)
    ipvlan.prepare(draft)


def plan(wanted: Wanted, draft: Draft) -> None:
    link: Link = wanted.value
    if not wanted.present:
        _remove(wanted, draft)
        return
    draft.need_namespace(wanted, link.key.netns)
    for key in relatives(link):
        draft.need_namespace(wanted, key.netns)
    addressing.check(wanted, link, draft)
    link = vxlan.fitted(wanted, link, draft)
    if link.data is None:
        seen = draft.need_link(wanted, link.key, "link", _unknown(link.key))
    else:
        seen = _exist(wanted, link, draft)
    _settle(wanted, link, seen, draft)
    if isinstance(link.data, Bridge) and link.data.ports is not None:
        _ports(wanted, link, link.data.ports, draft)


def _remove(wanted: Wanted, draft: Draft) -> None:
    link: Link = wanted.value
    seen = draft.world.links.get(link.key)
    if seen is None:
        return
    _same_kind(wanted, link, seen)
    if claim(wanted, seen.owner, seen.kind):
        return  # nobody's, and so absent as an owner's object
    if seen.adopted:
        _give_back(wanted, seen, draft)
        return
    child.release(wanted, seen, draft)
    vxlan.release(wanted, seen, draft)
    draft.do(wanted, "delete", seen, "to be absent")


def _give_back(wanted: Wanted, seen: Link, draft: Draft) -> None:
    """With the host's routes to it, which are ours, and the other end of a pair."""
    child.unroute(wanted, seen, seen.addresses or frozenset(), draft)
    draft.remove_link(wanted, seen, "to be absent")
    peer = draft.world.links.get(seen.data.peer) if isinstance(seen.data, Veth) else None
    if peer and peer.adopted and peer.owner == wanted.owner:
        draft.remove_link(wanted, peer, "to be absent")


def _not_renamed(wanted: Wanted, key: LinkKey, draft: Draft) -> None:
    """Errors: Conflict, where a link of ours was renamed, by udev or a person. Before Linux 6.2 one that is up keeps its name."""
    found = draft.renamed.get((key.netns, wanted.owner, key.name))
    if found:
        now, inside = found.name, f" inside {key.netns}" if key.netns else ""
        commands = f"ip link set {now} down; ip link set {now} name {key.name}"
        way_out = f"rename it back ({commands}{inside}) and run again, or delete it"
        raise Conflict(wanted.what, f'"{key}" is there under another name, "{now}"', way_out)


def _same_kind(wanted: Wanted, link: Link, seen: Link) -> None:
    if link.kind != seen.kind:
        what = f"{a(seen.kind)} of that name is there, not {a(link.kind)}"
        mine = wanted.present and seen.owner == wanted.owner
        way_out = AGAIN if mine else "remove it, or choose another name"
        raise Conflict(wanted.what, what, way_out)


def _exist(wanted: Wanted, link: Link, draft: Draft) -> Link:
    """The link as it is, once it is there and his: made, or made again, where it has to be."""
    seen = draft.world.links.get(link.key)
    if seen is not None:
        if not (wanted.recreate and seen.owner == wanted.owner):
            _same_kind(wanted, link, seen)
        adopted = claim(wanted, seen.owner, seen.kind)
        differs = _identity(link, seen)
        if not differs:
            if adopted:
                mark = altname(wanted.owner, link.key.name, adopted=True)
                draft.do(wanted, "set", Settings(link.key, {"altname": mark}), "adopted")
            return draft.world.links[link.key]
        if isinstance(link.data, Veth) and not wanted.recreate:
            _not_renamed(wanted, link.data.peer, draft)
        reason = LEFT if _left(wanted, link, seen, draft) else f"another identity: {differs}"
        if not wanted.recreate and reason != LEFT:
            raise Conflict(
                wanted.what,
                f"it is there with another identity ({differs})",
                AGAIN,
            )
        child.release(wanted, seen, draft, first=True)
        vxlan.release(wanted, seen, draft)
        draft.do(wanted, "delete", seen, reason, first=True)
        draft.ports.clear()
    else:
        _not_renamed(wanted, link.key, draft)
    vxlan.make_room(wanted, link, draft)
    _stand_on(wanted, link, draft)
    peer = _peer(wanted, link, draft)
    own, other = (peer, link) if peer and peer.master and not link.master else (link, peer)
    if own is not link:
        _stand_on(wanted, own, draft)
    draft.do(wanted, "create", Birth(own, other), "missing")
    return draft.world.links[link.key]


def _identity(link: Link, seen: Link) -> str:
    """How the unchangeable part differs, or ''."""
    if link.kind != seen.kind:
        return f"it is {a(seen.kind)}, not {a(link.kind)}"
    names: tuple[str, ...] = link.data.IDENTITY if link.data else ()
    if isinstance(link.data, Macvlan) and isinstance(seen.data, Macvlan) and link.data.mode:
        # drivers/net/macvlan.c: a living link is not taken into or out of passthru.
        names += (
            ("mode",) if link.data.mode != seen.data.mode and "passthru" in (link.data.mode, seen.data.mode) else ()
        )
    if isinstance(link.data, Vxlan) and isinstance(seen.data, Vxlan) and link.data.local and seen.data.local:
        # drivers/net/vxlan/vxlan_core.c: a living link keeps its family.
        names += ("local",) if link.data.local.version != seen.data.local.version else ()
    pairs = [(name, getattr(seen.data, name), getattr(link.data, name)) for name in names]
    return ", ".join(f"{name} is {was}, not {new}" for name, was, new in pairs if was != new and _asked(new))


def _left(wanted: Wanted, link: Link, seen: Link, draft: Draft) -> bool:
    """Whether an end of a pair of ours is left over, because the namespace that the other is to be in was deleted by hand.

    That one goes with it a moment later, or, where a process is still in there, not before that ends.
    """
    if not (isinstance(link.data, Veth) and isinstance(seen.data, Veth)) or seen.owner != wanted.owner:
        return False
    out_of_sight = seen.data.peer.name.startswith("#")
    return out_of_sight and link.data.peer.netns not in (None, *draft.before.namespaces)


def _asked(value: object) -> bool:
    """Whether an identity field was given: a peer or parent without a name was not."""
    return value is not None and not (isinstance(value, LinkKey) and not value.name)


def _peer(wanted: Wanted, link: Link, draft: Draft) -> Optional[Link]:
    """The other end of a pair that is to be made; its name must be free, or freed."""
    if not isinstance(link.data, Veth):
        return None
    key = link.data.peer
    there = draft.world.links.get(key)
    if there:
        left = _left(wanted, replace(link, key=key, data=Veth(link.key)), there, draft)
        if not (wanted.recreate and there.owner == wanted.owner) and not left:
            mine = there.owner == wanted.owner
            raise Conflict(
                wanted.what,
                f'its other end "{key}" cannot be made: {a(there.kind)} of that name is there',
                AGAIN if mine else "remove it, or choose another name",
            )
        reason = LEFT if left else f"its name is for the other end of {link.key}"
        draft.do(wanted, "delete", there, reason, first=True)
        draft.ports.clear()
    return draft.links[key]


def _stand_on(wanted: Wanted, link: Link, draft: Draft) -> None:
    parent = getattr(link.data, "parent", None)
    if parent:
        below = draft.need_link(wanted, parent, "parent", _unknown(parent))
        if link.mtu and below.mtu and link.mtu > below.mtu:
            raise Conflict(
                wanted.what,
                f'mtu {link.mtu} is more than the {below.mtu} of its parent "{parent}"',
                "lower it, or raise the parent's",
            )
    if link.master:
        _master(wanted, link, draft)


def _unknown(key: LinkKey, data: Optional[Kind] = None) -> Link:
    """A link that is not there yet and is taken as made: nothing is known of it."""
    return Link(key=key, data=data or Other("device"))


def _settle(wanted: Wanted, link: Link, seen: Link, draft: Draft) -> None:
    changes: dict[str, object] = {}
    mark = altname(wanted.owner, link.key.name, seen.adopted)
    if link.data is not None and seen.altname != mark:
        changes["altname"] = mark
    as_port = seen if link.master in (None, seen.master) else replace(seen, **NEW_PORT)
    changes.update((name, new) for name, new in wishes(link) if current(as_port, name) != new)
    if "master" in changes or "mtu" in changes:
        _stand_on(wanted, link, draft)
    if not (seen.master if link.master is None else link.master):
        for name in PORT_SETTINGS & changes.keys():
            raise Conflict(
                wanted.what, f"{name} is a setting of a bridge's port, and {link.key} is none", "give master"
            )
    if "master" in changes:
        vxlan.release(wanted, seen, draft)
    if "mtu" in changes:
        size = {"mtu": changes.pop("mtu")}
        draft.do(wanted, "set", Settings(link.key, size), because(seen, size))
        draft.told.add(link.key)
    if changes:
        draft.do(wanted, "set", Settings(link.key, changes), because(seen, changes))
    if link.up is not None and seen.up != link.up:
        draft.do(wanted, "set", Settings(link.key, {"up": link.up}), because(seen, {"up": link.up}))
    addressing.settle(wanted, link, draft)
    neighbour.settle(wanted, link, draft)
    vxlan.settle(wanted, link, draft)


def _master(wanted: Wanted, link: Link, draft: Draft) -> None:
    key = LinkKey(link.key.netns, str(link.master))
    if key == link.key:
        raise InvalidRequest(wanted.what, f'"{key}" is to be a port of itself', "name another bridge")
    master = draft.need_link(wanted, key, "master", _unknown(key, Bridge()))
    if not isinstance(master.data, Bridge):
        raise Conflict(wanted.what, f'its master "{key}" is {a(master.kind)}, not a bridge', "name a bridge")
    if key not in draft.ports:
        draft.ports[key] = {port.key.name for port in ports_of(draft.world, key)}
    if link.key.name not in draft.ports[key] and len(draft.ports[key]) >= MAX_PORTS:
        why = f'bridge "{key}" has {MAX_PORTS} ports, all that Linux allows'
        raise Conflict(wanted.what, why, "use a second bridge")
    draft.ports[key].add(link.key.name)
    _keep_mtu(wanted, link, master, draft)


def _keep_mtu(wanted: Wanted, port: Link, master: Link, draft: Draft) -> None:
    """A bridge has the smallest MTU of its ports until it is told one (net/bridge/br_if.c br_mtu_auto_adjust).

    So one that is to have what it has by itself is told, when a port with less comes. One with such a port was told before.
    """
    asked, there = draft.links.get(master.key), draft.world.links.get(port.key)
    size = port.mtu or (there.mtu if there else None)
    if not asked or not asked.mtu or asked.mtu != master.mtu or not size or size >= asked.mtu:
        return
    if master.key not in draft.told:
        draft.told.add(master.key)
        if not any(other.mtu and other.mtu < asked.mtu for other in ports_of(draft.before, master.key)):
            reason = f"to keep mtu {asked.mtu}, which it has as long as its ports have it"
            draft.do(wanted, "set", Settings(master.key, {"mtu": asked.mtu}), reason)


def _ports(wanted: Wanted, link: Link, names: frozenset[str], draft: Draft) -> None:
    """Exactly these: missing ones are enslaved, whoever's they are; others are let go."""
    for port in sorted(ports_of(draft.world, link.key), key=lambda port: port.key.name):
        if port.key.name not in names and port.key not in draft.masters:
            draft.do(wanted, "set", Settings(port.key, {"master": ""}), f"no port of {link.key.name} any more")
            draft.ports.pop(link.key, None)
    for name in sorted(names):
        key = LinkKey(link.key.netns, name)
        port = draft.need_link(wanted, key, "port", _unknown(key))
        if port.master != link.key.name:
            wish = Link(key=key, master=link.key.name)
            _master(wanted, wish, draft)
            draft.do(wanted, "set", Settings(key, {"master": link.key.name}), f"to be a port of {link.key.name}")
