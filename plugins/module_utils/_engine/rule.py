# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Planning of address translation, rule by rule.

What the user sees is rules; what is sent is elements. A rule that is as it should be can still lack an element
(somebody deleted one by hand), so both are compared. Only rules that are asked for are changed. What rules share
is settled last, by table.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Optional

from .._model import nft
from .._model.errors import Conflict, Missing
from .._model.link import Address
from .._model.namespace import NetnsRef, place
from .._model.plan import Question, Wanted, World
from .._model.rule import EVERYONE, MASQUERADE, Dnat, Element, ElementKey, Path, Rule, RuleChange, Snat, Table
from . import passage
from . import table as shared
from .draft import Draft, claim


def question(wanted: Wanted) -> Question:
    rule: Rule = wanted.value
    asked = Question(namespaces={rule.netns}, tables={rule.netns}, filters={rule.netns} if wanted.present else set())
    if isinstance(rule, Dnat) and wanted.present and rule.to_ip:
        asked.targets.add((rule.netns, rule.to_ip))
        if not rule.host_ip.is_unspecified:
            asked.targets.add((rule.netns, rule.host_ip))
    return asked


def plan(wanted: Wanted, draft: Draft) -> None:
    rule: Rule = wanted.value
    if wanted.present:
        draft.need_namespace(wanted, rule.netns)
    table = shared.table_of(draft.world, rule.netns)
    seen = table.rules.get(rule.key)
    adopted = seen is not None and claim(wanted, seen.owner, "rule")
    if not wanted.present:
        if seen is not None:
            draft.do(wanted, "delete", _removal(table, seen), "to be absent")
        return
    if isinstance(rule, Dnat):
        new = _dnat(wanted, rule, seen if isinstance(seen, Dnat) else None, draft)
        change = _elements(table, new, seen, {element[:2]: element for element in nft.elements(new)})
    else:
        change = _snat(wanted, rule, seen if isinstance(seen, Snat) else None, table)
    if seen is None:
        draft.do(wanted, "create", change, "missing")
    elif adopted:
        draft.do(wanted, "set", change, "adopted")
    elif change.rule != seen:
        draft.do(wanted, "set", change, _difference(seen, change.rule))
    elif change.remove or change.add:
        draft.do(wanted, "set", change, f"not all of it is as it was made: {shared.first(change.remove, change.add)}")
    elif change.chain is not None:
        draft.do(wanted, "set", change, "the rules of its chain are not in the order they were made in")


def finish(draft: Draft) -> None:
    """Overlaps are refused, and what rules share follows from all rules of a namespace."""
    mine = [wanted for wanted in draft.wanted if isinstance(wanted.value, (Dnat, Snat))]
    for netns in dict.fromkeys(wanted.value.netns for wanted in mine):
        here = [wanted for wanted in mine if wanted.value.netns == netns]
        _no_overlap(draft, netns, {wanted.value.key: wanted for wanted in here})
        shared.settle(draft, here)
        passage.name_closed(draft, netns)


def _no_overlap(draft: Draft, netns: NetnsRef, asked: dict[Any, Wanted]) -> None:
    """Errors: Conflict where one packet could be for two rules, of which one is asked for."""
    rules = shared.table_of(draft.world, netns).dnats
    ahead: list[Dnat] = []
    for rule in sorted(rules, key=lambda rule: (rule.protocol, rule.version, rule.ports)):
        ahead = [one for one in ahead if one.protocol == rule.protocol and one.ports.last >= rule.ports.first]
        for other in ahead:
            if rule.meets(other) and (rule.key in asked or other.key in asked):
                new, old = (rule, other) if rule.key in asked else (other, rule)
                whose = f'owner "{old.owner}"' if old.owner else "nobody"
                why = f"{new} overlaps {old} of {whose}, which goes to {old.to_ip}"
                raise Conflict(asked[new.key].what, why, "choose another port or address")
        ahead.append(rule)


# -- a published port -----------------------------------------------------------------------------------------


def _dnat(wanted: Wanted, rule: Dnat, seen: Optional[Dnat], draft: Draft) -> Dnat:
    """The rule in full: what is not managed is as it is, or as Docker would have it."""
    free = frozenset({EVERYONE[rule.version]})
    base = seen or replace(rule, to_port=rule.ports.first, allowed_sources=free, hairpin=True, local=True)
    fields = ("to_ip", "to_port", "allowed_sources", "hairpin", "local")
    full = replace(rule, **{name: _either(getattr(rule, name), getattr(base, name)) for name in fields})
    if not full.host_ip.is_unspecified:
        at = draft.world.targets.get((rule.netns, rule.host_ip))
        if not (at and at.own) and not _planned(draft, rule.netns, full.host_ip, own=True):
            where = place(rule.netns) or " of the host"
            draft.warn(
                f"{wanted.what}: no interface{where} has the address {full.host_ip} yet; until then nothing arrives"
            )
    return replace(full, owner=wanted.owner, via=_path(wanted, full, seen, draft))


def _either(new: Any, old: Any) -> Any:
    return old if new is None else new


def _path(wanted: Wanted, rule: Dnat, seen: Optional[Dnat], draft: Draft) -> Optional[Path]:
    """How packets get to the target: by a link of this very run, or as the kernel says."""
    if rule.to_ip is None:
        return None
    found = _planned(draft, rule.netns, rule.to_ip) or draft.world.targets.get((rule.netns, rule.to_ip))
    if found and not nft.DEVICE.fullmatch(found.device):
        raise Conflict(
            wanted.what, f"nft cannot name the interface {found.device!r} towards it", "rename the interface"
        )
    if found:
        return Path(found.device, found.subnet)
    why = f"no route{place(rule.netns) or ' of the host'} leads to to_ip {rule.to_ip}"
    if not draft.assume:
        raise Missing(wanted.what, why, "make the interface towards it, and its address, first")
    draft.warn(f"{wanted.what}: {why} yet; taken as made by an earlier task, by an interface unknown")
    return seen.via if seen and seen.to_ip == rule.to_ip else None


def _planned(draft: Draft, netns: NetnsRef, address: Address, own: bool = False) -> Optional[Path]:
    """The way over a link that this run makes or changes, if an address of it is near (with `own`: the very one)."""
    near = [
        (mine.network.prefixlen, link.key.name, mine.network)
        for link in draft.addressed.get(netns, ())
        for mine in link.addresses or ()
        if (address == mine.ip if own else address in mine.network)
    ]
    if not near:
        return None
    _length, device, subnet = max(near, key=lambda one: one[:2])
    return Path(device, subnet)


def _elements(table: Table, rule: Rule, seen: Optional[Rule], want: dict[ElementKey, Element]) -> RuleChange:
    """From the elements there are to those there should be.

    A rule's own are those of the maps, and all that say something about its publication, even left over ones.
    """
    there = set(want)
    if isinstance(seen, Dnat):
        there |= {element[:2] for element in nft.translations(seen)}
    if isinstance(rule, Dnat):
        there |= table.about.get(nft.publication(rule), frozenset())
    have = {key: table.elements[key] for key in there if key in table.elements}
    remove = tuple(sorted(element for key, element in have.items() if want.get(key) != element))
    add = tuple(element for key, element in want.items() if have.get(key) != element)
    return RuleChange(rule, seen, remove, add)


# -- a hidden source ------------------------------------------------------------------------------------------


def _snat(wanted: Wanted, rule: Snat, seen: Optional[Snat], table: Table) -> RuleChange:
    new = replace(rule, to=rule.to or (seen.to if seen else MASQUERADE), owner=wanted.owner)
    chain = order([new, *(snat for snat in table.snats if snat.key != new.key)])
    if chain == tuple(line.snat for line in table.lines if line.snat and line.snat.owner):
        return RuleChange(new, seen)
    return RuleChange(new, seen, chain=chain)


def order(snats: Iterable[Snat]) -> tuple[Snat, ...]:
    """Ours, in the order they are tried: the narrowest source first, and the ones that name interfaces before the others."""
    return tuple(sorted((snat for snat in snats if snat.owner), key=_place_of))


def _place_of(snat: Snat) -> tuple[Any, ...]:
    said = (snat.out_interface or "", snat.except_out_interface or "")
    return (snat.source.version, -snat.source.prefixlen, snat.source, *(not text for text in said), *said)


def _removal(table: Table, seen: Rule) -> RuleChange:
    if isinstance(seen, Dnat):
        return _elements(table, seen, seen, {})
    return RuleChange(seen, seen, chain=order(snat for snat in table.snats if snat.key != seen.key))


# -- words ----------------------------------------------------------------------------------------------------


def _difference(seen: Rule, new: Rule) -> str:
    names = ("to",) if isinstance(new, Snat) else ("to_ip", "to_port", "allowed_sources", "hairpin", "local", "via")
    pairs = [(name, getattr(seen, name), getattr(new, name)) for name in names]
    return "; ".join(f"{name} is {_say(was)}, not {_say(now)}" for name, was, now in pairs if was != now)


def _say(value: Any) -> str:
    if isinstance(value, frozenset):
        return ", ".join(str(one) for one in sorted(value, key=str)) or "nobody"
    if isinstance(value, Path):
        return f"{value.device} ({value.subnet})"
    return "unknown" if value is None else str(value)


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = shared.table_of(world, wanted.value.netns).rules.get(wanted.value.key)
    return _plain(seen) if seen else None


def _plain(rule: Rule) -> dict[str, Any]:
    if isinstance(rule, Snat):
        return {"to": str(rule.to), "owner": rule.owner}
    return {
        "to_ip": str(rule.to_ip),
        "to_port": str(rule.to_ports),
        "allowed_sources": sorted(str(one) for one in rule.allowed_sources or ()),
        "hairpin": rule.hairpin,
        "local": rule.local,
        "interface": rule.via.device if rule.via else None,
        "owner": rule.owner,
    }


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    """The rule as it now is; with `present` false only its identity."""
    rule: Rule = wanted.value
    shown: dict[str, Any] = {"netns": rule.netns, **(describe(wanted, world) or {})}
    shown["present"] = "owner" in shown
    if isinstance(rule, Snat):
        shown.update(source=str(rule.source), out_interface=rule.out_interface)
        shown["except_out_interface"] = rule.except_out_interface
        return {"snat": shown}
    return {"dnat": {**shown, "protocol": rule.protocol, "host_ip": str(rule.host_ip), "host_port": str(rule.ports)}}
