# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""A macvlan interface whose address comes from the LAN's DHCP server: the client that asks for it.

It is BusyBox's udhcpc (Debian's package udhcpc): it keeps no file that two containers' interfaces of one name would share.
What it does with an answer is in a script of ours, and that is the address and the default route in the container's
namespace and nothing else: no resolver of the host is touched.

/run may be mounted without the right to execute, so the script udhcpc calls is the shell, in the service's directory:
`sh bound` is what it does there with an answer, and the files are called as its events are.
"""

from __future__ import annotations

from .._model.namespace import NetnsRef
from .._model.service import Service, ServiceFile

# `mask` is a prefix length; `router` may name several. What was leased before goes when the answer is another one.
CLEAR = 'ip -4 address flush dev "$interface" scope global\n'
TAKE = """for old in $(ip -4 -o address show dev "$interface" scope global | while read -r index name family has rest; do echo "$has"; done); do
  [ "$old" = "$ip/$mask" ] || ip -4 address del "$old" dev "$interface"
done
ip -4 address replace "$ip/$mask" dev "$interface"
"""
ROUTE = """for first in $router; do
  ip -4 route replace default via "$first" dev "$interface"
  break
done
"""


def client(
    owner: str, container: str, network: str, interface: str, netns: NetnsRef, default_route: bool = True
) -> Service:
    """Keeps the interface's lease, and gives it back when it ends. `default_route`: packets to elsewhere take this interface.

    The container's name goes with the question, so that a LAN that knows its clients by name knows it.
    """
    answer = TAKE + (ROUTE if default_route else "")
    events = {"deconfig": CLEAR, "bound": answer, "renew": answer, "nak": "", "leasefail": ""}
    return Service(
        f"{owner}-dhcp-{container}:{network}",
        owner,
        netns,
        ("udhcpc", "-f", "-R", "-i", interface, "-x", f"hostname:{container}", "-s", "/bin/sh"),
        tuple(ServiceFile(name, script) for name, script in events.items()),
        package="udhcpc",
    )
