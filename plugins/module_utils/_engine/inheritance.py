# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""Which kernel settings change others: net.*.conf.all and net.ipv4.conf.default write to every interface.

`TABLE` was found by writing each setting of a running kernel (6.18) and reading all others; tests/kernel/test_sysctl.py holds it
against the kernel that the tests run on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Optional

Path = tuple[str, ...]
CONF = 4  # the place of "all", "default" or an interface's name in net.FAMILY.conf.NAME.SETTING, and the part behind it
IP_FORWARD: Path = ("net", "ipv4", "ip_forward")


class Handed(NamedTuple):
    """What a write to `all` writes beside: `default`, too, or the interfaces alone. `source` is the function in the kernel."""

    default: bool
    source: str


TABLE: dict[tuple[str, str], Handed] = {
    ("ipv4", "forwarding"): Handed(True, "net/ipv4/devinet.c inet_forward_change"),
    ("ipv6", "forwarding"): Handed(True, "net/ipv6/addrconf.c addrconf_fixup_forwarding"),
    ("ipv6", "disable_ipv6"): Handed(True, "net/ipv6/addrconf.c addrconf_disable_ipv6"),
    ("ipv6", "ignore_routes_with_linkdown"): Handed(True, "net/ipv6/addrconf.c addrconf_fixup_linkdown"),
    ("ipv6", "addr_gen_mode"): Handed(True, "net/ipv6/addrconf.c addrconf_sysctl_addr_gen_mode"),
    ("ipv6", "force_forwarding"): Handed(False, "net/ipv6/addrconf.c addrconf_sysctl_force_forwarding"),
}
# Interfaces follow `default` of IPv4 until they are told otherwise or get an address (net/ipv4/devinet.c devinet_copy_dflt_conf), but not
# in what is written by another function: devinet_sysctl_forward, ipv4_doint_and_flush.
NOT_BY_DEFAULT = frozenset(("forwarding", "mc_forwarding", "disable_policy", "disable_xfrm"))
NOT_BY_DEFAULT |= {"drop_unicast_in_l2_multicast", "promote_secondaries", "route_localnet"}


def settings_of(path: Path) -> Optional[tuple[str, str, str]]:
    """(family, name, setting) of net.FAMILY.conf.NAME.SETTING; ip_forward is another name of `all`'s. None for others."""
    if path == IP_FORWARD:
        return "ipv4", "all", "forwarding"
    if len(path) == CONF + 1 and path[0] == "net" and path[2] == "conf":
        return path[1], path[3], path[4]
    return None


def promote_secondaries(name: str) -> Path:
    """With it the first address of a subnet takes no others along (net/ipv4/devinet.c __inet_del_ifa)."""
    return ("net", "ipv4", "conf", name, "promote_secondaries")


def is_wide(path: Path) -> bool:
    """Whether a write to it may change other settings."""
    found = settings_of(path)
    if found is None:
        return False
    family, name, setting = found
    by_default = name == "default" and family == "ipv4" and setting not in NOT_BY_DEFAULT
    return by_default or (name == "all" and (family, setting) in TABLE)


def handed_on(
    path: Path, value: str, known: Mapping[Path, str], told: frozenset[str]
) -> Iterator[tuple[Path, Optional[str]]]:
    """Of the settings that are `known`, those that a write to `path` changes: each with its value, None for one that is not known any more.

    `told`: interfaces that follow no `default` any more, as they have an address.
    """
    found = settings_of(path)
    if found is None:
        return
    family, name, setting = found
    if (family, name, setting) == ("ipv4", "all", "forwarding"):
        yield from _of_ip_forward(path, value, known)
    for other in known:
        of = settings_of(other)
        if of is None or of[0] != family or of[2] != setting or of[1] in ("all", name):
            continue
        if name == "all" and (family, setting) in TABLE and (of[1] != "default" or TABLE[family, setting].default):
            yield other, value
        elif name == "default" and is_wide(path) and of[1] not in told and known[other] != value:
            yield other, None


def _of_ip_forward(path: Path, value: str, known: Mapping[Path, str]) -> Iterator[tuple[Path, Optional[str]]]:
    """Its other name, and net.ipv4.conf.all.accept_redirects, which is set to the opposite."""
    same = {IP_FORWARD, ("net", "ipv4", "conf", "all", "forwarding")} - {path}
    redirects: Path = ("net", "ipv4", "conf", "all", "accept_redirects")
    yield from ((other, value) for other in same if other in known)
    if redirects in known:
        yield redirects, "0" if value != "0" else "1"


def turns_ipv6_off(path: Path, value: str) -> Optional[str]:
    """Whose IPv6 addresses the kernel takes away: an interface's name, "all", or None."""
    found = settings_of(path)
    if found is None or found[0] != "ipv6" or found[2] != "disable_ipv6" or found[1] == "default" or value == "0":
        return None
    return found[1]


def turn(path: Path) -> int:
    """In which order settings are written: 0 what changes others, widest first, 3 what is changed by none.

    net.ipv4.ip_forward also sets net.ipv4.conf.all.accept_redirects.
    """
    found = settings_of(path)
    if found is None:
        return 3
    if found[2] == "forwarding" and found[1] == "all":
        return 0
    return {"all": 1, "default": 2}.get(found[1], 3)


def lateness(path: Path) -> int:
    """Steps behind the other settings: forwarding of IPv6 drops the default routes of routers whose interface has not accept_ra 2 yet."""
    found = settings_of(path)
    if found is None or (found[0], found[2]) != ("ipv6", "forwarding"):
        return 0
    return 1 if found[1] == "all" else 2
