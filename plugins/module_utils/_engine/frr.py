# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Our part of FRRouting's configuration, in its file and in the running daemon.

FRR keeps one configuration for all, and its `write memory` writes the file anew, without comments: a marked block
would not last. So what is ours is known by the names it bears: our peer groups begin with `docknet-`. Statements
about them are ours wherever they stand, and so is an instance of BGP that has nothing else in it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

HEADER = "! From the Ansible role netwright.docknet.evpn, which knows its statements by the peer groups docknet-*."
OURS = re.compile(r"(?:no )?neighbor (docknet-\S+) |.* peer-group (docknet-\S+)$")
# They bear no name of ours. Those of the whole instance are ours to make only where the instance is.
OF_THE_INSTANCE = ("bgp router-id ", "bgp listen limit ")
ADVERTISE = "advertise-all-vni"
# Files of older versions do not say where an instance ends. Where it ends for sure; to take more for a part of it is the safe side.
BEGINS_ANOTHER = re.compile(r"(router|interface|vrf|route-map|line|bfd|segment-routing|rpki|end)\b")


class Statement(NamedTuple):
    """`family` is the address family it stands in, as `l2vpn evpn`, and empty outside of any."""

    family: str
    words: str

    @property
    def group(self) -> str:
        """The peer group of ours that it is about."""
        found = OURS.match(self.words)
        return (found[1] or found[2]) if found else ""

    @property
    def foreign(self) -> bool:
        return not (self.group or self.words == ADVERTISE or self.words.startswith(OF_THE_INSTANCE))

    @property
    def opposite(self) -> Statement:
        words = self.words[3:] if self.words.startswith("no ") else f"no {self.words}"
        return self._replace(words=words)


@dataclasses.dataclass
class Instance:
    """`name` is what opens it, as `router bgp 65000`. `lines` are the numbers of all its lines."""

    name: str
    statements: dict[int, Statement] = dataclasses.field(default_factory=dict)
    lines: dict[int, str] = dataclasses.field(default_factory=dict)  # and the address family that each stands in

    @property
    def ours(self) -> bool:
        """Nothing else is in it. One that is empty is somebody else's."""
        values = self.statements.values()
        return any(each.group for each in values) and not any(each.foreign for each in values)

    def foreign_in(self, family: str) -> bool:
        return any(each.foreign for each in self.statements.values() if each.family == family)


def instances(text: str) -> list[Instance]:
    """The instances of BGP in a configuration, in its order."""
    found: list[Instance] = []
    inside, family = False, ""
    for number, raw in enumerate(text.splitlines()):
        words = " ".join(raw.split())
        if words.startswith("router bgp "):
            found.append(Instance(words, lines={number: ""}))
            inside, family = True, ""
        elif inside and BEGINS_ANOTHER.match(words):
            inside = False
        elif inside:
            family = words.removeprefix("address-family ") if words.startswith("address-family ") else family
            found[-1].lines[number] = family
            if words == "exit-address-family" or (words == "exit" and family):
                family = ""
            elif words == "exit":
                inside = False
            elif words and words[0] not in "!#" and not words.startswith("address-family "):
                found[-1].statements[number] = Statement(family, words)
    return found


def merged(text: str) -> dict[str, Instance]:
    """By name: FRR takes an instance that stands in several places as one."""
    found: dict[str, Instance] = {}
    for each in instances(text):
        found.setdefault(each.name, Instance(each.name)).statements.update(each.statements)
    return found


def in_the_way(text: str, part: str) -> str:
    """The instance of others that keeps ours from being made, since FRR has one AS number for each routing table, or empty."""
    wanted = merged(part)
    others = [each.name for each in merged(text).values() if not each.ours and len(each.name.split()) == 3]
    return next((name for name in others if wanted and name not in wanted), "")


def commands(text: str, part: str) -> list[str]:
    """What a configuration has to be told so that it has this part and nothing else that is ours; none where it is so."""
    have, want = merged(text), merged(part)
    told: list[str] = []
    for name, instance in have.items():
        if instance.ours and name not in want:
            told.append(f"no {name}")
        else:
            told += spoken(name, gone(instance, want.get(name, Instance(name))))
    for name, instance in want.items():
        there = have.get(name, Instance(name))
        missing = [each for each in allowed(instance, there) if each not in there.statements.values()]
        told += spoken(name, missing) if there.statements or missing else []
    return told


def allowed(wanted: Instance, there: Instance) -> list[Statement]:
    """What is wanted, without what is its owner's to say where the instance is not ours."""
    mine = not any(each.foreign for each in there.statements.values())
    return [each for each in wanted.statements.values() if mine or not each.words.startswith(OF_THE_INSTANCE)]


def gone(instance: Instance, wanted: Instance) -> list[Statement]:
    """What takes away of an instance what is ours and no longer wanted, the last first: what others refer to stands first."""
    kept = set(wanted.statements.values())
    keys = {each.words.rpartition(" ")[0] for each in kept}
    groups = {each.group for each in kept}
    out = []
    for each in reversed(instance.statements.values()):
        if each in kept:
            continue
        if each.group:
            # With a group goes all that is said of it, but for the addresses that it takes in.
            whole = each.group not in groups
            if not whole or each.words.startswith(("bgp listen ", f"neighbor {each.group} peer-group")):
                out.append(each.opposite)
        elif each.words == ADVERTISE:
            out += [] if instance.foreign_in(each.family) else [each.opposite]
        elif not each.foreign and instance.ours and each.words.rpartition(" ")[0] not in keys:
            out.append(each.opposite)
    return out


def spoken(name: str, statements: list[Statement]) -> list[str]:
    """The lines that say these statements in their places."""
    lines: list[str] = []
    family = ""
    for each in statements:
        lines += [" exit-address-family"] if family and each.family != family else []
        lines += [f" address-family {each.family}"] if each.family and each.family != family else []
        family = each.family
        lines.append(f"{'  ' if family else ' '}{each.words}")
    lines += [" exit-address-family"] if family else []
    return [name, *lines, "exit"] if lines else []


def configuration(text: str, part: str) -> str:
    """The file's text with this part in it; the same text where it says that already, in whatever form."""
    if not commands(text, part):
        return text
    lines = text.splitlines(keepends=True)
    dropped = {number for number, line in enumerate(lines) if line.strip() == HEADER}
    for instance in instances(text):
        dropped |= ours_of(instance)
    kept = "".join(line for number, line in enumerate(lines) if number not in dropped)
    there = merged(kept)
    block = [
        line
        for name, each in merged(part).items()
        for line in spoken(name, allowed(each, there.get(name, Instance(name))))
    ]
    if not block:
        return kept
    return "\n".join([kept + ("" if kept.endswith("\n") or not kept else "\n") + HEADER, *block, ""])


def ours_of(instance: Instance) -> set[int]:
    """The lines of a file's instance that are ours: it as a whole, address families that have nothing else, and single ones."""
    if instance.ours:
        return set(instance.lines)
    marked = {number for number, each in instance.statements.items() if each.group}
    families = {each.family for number, each in instance.statements.items() if number in marked and each.family}
    whole = {family for family in families if not instance.foreign_in(family)}
    return marked | {number for number, family in instance.lines.items() if family in whole}
