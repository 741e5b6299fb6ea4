# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netns for the ten steps, and what it refuses."""

from ansible_collections.netwright.docknet.tests.integration.ten_steps import Module, Refusal

TTL = "net.ipv4.ip_default_ttl"
NAMES = (
    "a/b",
    "..",
    ".",
    "../../etc/passwd",
    "/run/netns/web",
    "we b",
    "web\n",
    "w\u00e9b",
    ".hidden",
    "-n",
    "x" * 128,
)


def setting(name, value, said):
    return Refusal({"name": "web", "sysctls": {name: value}}, said, "netns web")


MODULE = Module(
    name="netns",
    before="ip netns add other",
    create={"name": "web"},
    actions=[("create", "netns web")],
    change={"name": "web", "sysctls": {TTL: 99}},
    identity={"name": "web"},
    foreign="ip netns add web",
    returned="namespaces",
    result={"name": "web", "path": "/run/netns/web", "owner": "docknet", "present": True},
    refusals=[
        *(Refusal({"name": name}, "is no name for a namespace", repr(name)) for name in NAMES),
        Refusal({"name": "web", "owner": "a b"}, "is no owner's name", "'a b'"),
        Refusal({"name": "web", "owner": "x" * 33}, "is no owner's name", "x" * 33),
        setting("kernel.hostname", "x", "is no setting below net."),
        setting("net/../kernel/hostname", "x", "is no setting below net."),
        setting("net.ipv4.//.x", "x", "leads out of /proc/sys"),
        setting(TTL, "", "is no value for a setting"),
        setting(TTL, "\u00e9", "is no value for a setting"),
        Refusal({"config": [{"name": "a b"}, {"name": "c d"}]}, "'a b'", "'c d'"),
        Refusal({"config": [{"name": "web"}, {"name": "web", "state": "absent"}]}, "is asked for twice", "netns web"),
    ],
)
