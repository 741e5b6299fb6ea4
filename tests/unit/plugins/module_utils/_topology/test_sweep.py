# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes because it is no longer in a topology."""

from __future__ import annotations

from ipaddress import ip_address

from ansible_collections.netwright.docknet.plugins.module_utils._model.hosts import HostsFile, HostsKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.link import LinkKey
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import World
from ansible_collections.netwright.docknet.plugins.module_utils._model.service import Service
from ansible_collections.netwright.docknet.plugins.module_utils._model.source import SourceRoute
from ansible_collections.netwright.docknet.plugins.module_utils._model.text import TextFile, TextKey
from ansible_collections.netwright.docknet.plugins.module_utils._topology.sweep import gone

NAMES = ("ant", "bee", "cat")
BLOCK = b"# BEGIN docknet@shop\n10.0.0.1\tant\n# END docknet@shop\n"


def world(names: tuple[str, ...]) -> World:
    """Of each name a namespace, a service, two files, and an answer's way in the namespace of the first."""
    ways = [SourceRoute(LinkKey("ant", "eth0"), ip_address(f"10.0.0.{ord(one[0])}"), None, 1) for one in names]
    return World(
        namespaces={name: Namespace(name, "shop") for name in names},
        services={name: Service(name, "shop") for name in names},
        texts={key: TextFile(key, "shop") for name in names for key in [TextKey(name, "resolv.conf")]},
        files={HostsKey(name): HostsFile(f"/etc/netns/{name}/hosts", BLOCK) for name in names},
        sources={"ant": ways},
    )


def test_check_mode_and_the_run_are_processes_that_see_the_same_in_another_order():
    stays = [Namespace("ant")]
    one, other = (list(map(str, gone("shop", stays, world(names)))) for names in (NAMES, NAMES[::-1]))
    assert one == other and one[:2] == ["netns bee", "netns cat"]
    assert len(one) == 2 + 3 * 4
