# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine with networks, servers and neighbours, to publish ports on; and the rule modules without Ansible around them.

web (172.17.0.3), web2 (172.17.0.2) -- docknet0 \\             / lan0 -- near (198.51.100.2)
                  far (172.18.0.2) -- other0 ---- the host ---
                                                  198.51.100.1 \\ wan0 -- beyond (203.0.113.9)
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import Fixed, converge, validate
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.host import Host
from ansible_collections.netwright.docknet.plugins.module_utils._kernel.namespaces import inside, open_namespace
from ansible_collections.netwright.docknet.plugins.module_utils._model.plan import Plan
from ansible_collections.netwright.docknet.plugins.modules import dnat_rule, snat_rule
from ansible_collections.netwright.docknet.tests.kernel.machine import machine, sh

HOST4, HOST6 = "198.51.100.1", "fd51::1"
# Name, its addresses; the host's end, and that end's bridge or the host's addresses there; routes.
BRIDGES = {"docknet0": ("172.17.0.1/16", "fd17::1/64"), "other0": ("172.18.0.1/16", "fd18::1/64")}
MACHINES = [
    ("web", ("172.17.0.3/16", "fd17::3/64"), "vweb", "docknet0", ("default via 172.17.0.1", "default via fd17::1")),
    ("web2", ("172.17.0.2/16", "fd17::2/64"), "vweb2", "docknet0", ("default via 172.17.0.1", "default via fd17::1")),
    ("far", ("172.18.0.2/16", "fd18::2/64"), "vfar", "other0", ("default via 172.18.0.1", "default via fd18::1")),
    (
        "near",
        ("198.51.100.2/24", "fd51::2/64"),
        "lan0",
        (f"{HOST4}/24", f"{HOST6}/64"),
        (f"203.0.113.0/24 via {HOST4}", f"2001:db8::/64 via {HOST6}"),
    ),
    (
        "beyond",
        ("203.0.113.9/24", "2001:db8::9/64"),
        "wan0",
        ("203.0.113.1/24", "2001:db8::1/64"),
        ("198.51.100.0/24 via 203.0.113.1", "fd51::/64 via 2001:db8::1"),
    ),
]


def network() -> str:
    """Shell commands; few processes, because each one takes a second in a virtual machine without KVM."""
    batches = {"": [f"netns add {name}" for name, *_rest in MACHINES] + ["link set lo up"]}
    host = batches[""]
    for name, addresses in BRIDGES.items():
        host += [f"link add {name} type bridge", *up(name, addresses)]
    for name, addresses, end, there, routes in MACHINES:
        host.append(f"link add {end} type veth peer name eth0 netns {name}")
        if isinstance(there, str):
            host += [f"link set {end} master {there}", f"link set {end} type bridge_slave hairpin on", *up(end, ())]
        else:
            host += up(end, there)
        batches[f"-n {name}"] = ["link set lo up", *up("eth0", addresses), *(f"route add {route}" for route in routes)]
    commands = [f"ip {where} -batch - <<'.'\n" + "\n".join(lines) + "\n.\n" for where, lines in batches.items()]
    return "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1\n" + "".join(commands)


def up(name: str, addresses: tuple[str, ...]) -> list[str]:
    """With a link-local address of our choice: one of its own it would have to try out for a second."""
    own = [f"fe80::{six.partition('::')[2]}" for six in addresses if ":" in six]
    nodad = [f"address add {each} dev {name}" + (" nodad" if ":" in each else "") for each in (*addresses, *own)]
    return [f"link set {name} addrgenmode none", f"link set {name} up", *nodad]


KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
DEFAULTS = {"state": "present", "owner": "docknet", "adopt": False, "recreate": False}
# A process of its own for each server: one that has to wait for the test's turn answers too late to be like a real one.
SERVER = """
import selectors, socket, sys
who, address, *ports = sys.argv[1:]
ready = selectors.DefaultSelector()
for port in map(int, ports):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        ready.register(server, selectors.EVENT_READ, port)
print("ready", flush=True)
while True:
    for key, _mask in ready.select():
        server, word = key.fileobj, f"{who}:{key.data} sees ".encode()
        try:
            if server.type == socket.SOCK_STREAM:
                peer, client = server.accept()
                with peer:
                    peer.sendall(word + client[0].encode())
            else:
                data, client = server.recvfrom(2048)
                server.sendto(word + client[0].encode(), client)
                print(who, data.decode(), flush=True)
        except OSError:
            pass
"""


class Site:
    """The machine while a test is on it."""

    def __init__(self) -> None:
        self._namespaces: dict[str, int] = {}
        self._servers = contextlib.ExitStack()
        self._logs: list[Any] = []

    def close(self) -> None:
        self._servers.close()
        for descriptor in self._namespaces.values():
            os.close(descriptor)

    def inside(self, where: str | None) -> Any:
        if where is None:
            return contextlib.nullcontext()
        if where not in self._namespaces:
            found = open_namespace(where)
            assert found is not None, where
            self._namespaces[where] = found
        return inside(self._namespaces[where])

    def serve(self, where: str | None, *ports: int, address: str = "::") -> None:
        """Answer who one is and whom one sees, on these ports, by TCP and UDP."""
        log = self._servers.enter_context(tempfile.TemporaryFile())
        command = [sys.executable, "-ISc", SERVER, where or "host", address, *map(str, ports)]
        with self.inside(where):
            server = subprocess.Popen(command, stdout=log, stdin=subprocess.DEVNULL)
        self._servers.callback(server.wait, 10)
        self._servers.callback(server.kill)
        deadline = time.monotonic() + 10
        while not os.pread(log.fileno(), 6, 0):
            assert server.poll() is None and time.monotonic() < deadline, f"no server in {where}"
            time.sleep(0.005)
        self._logs.append(log)

    def heard(self) -> list[tuple[str, str]]:
        """The datagrams that came so far: (server, text), in order for each server."""
        found = []
        for log in self._logs:
            lines = os.pread(log.fileno(), 1 << 24, 0).decode().splitlines()[1:]
            found += [(who, text) for who, _blank, text in (line.partition(" ") for line in lines)]
        return found

    def ask(
        self, where: str | None, address: str, port: int, sort: str = "tcp", wait: float = 2.0, own_port: int = 0
    ) -> str | None:
        """What the server says, "web:80 sees 198.51.100.2"; None when nothing answers in time."""
        with self.inside(where):
            client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, KINDS[sort])
        with client, contextlib.suppress(OSError):
            client.settimeout(wait)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", own_port))
            client.connect((address, port))
            if sort == "udp":
                client.send(b"hello")
            return client.recv(100).decode().replace(" ::ffff:", " ") or None
        return None


@contextlib.contextmanager
def site(bridge_calls: bool = True) -> Iterator[Site]:
    """Be on such a machine; `bridge_calls`: br_netfilter shows frames on bridges to the rules of IP, where there is such a switch."""
    with machine():
        sh(network())
        for name in ("iptables", "ip6tables"):
            if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{name}"):
                sh(f"sysctl -qw net.bridge.bridge-nf-call-{name}={int(bridge_calls)}")
        here = Site()
        try:
            yield here
        finally:
            here.close()


def dnat(*objects: dict[str, Any], check: bool = False, **common: Any) -> Plan:
    """What the module dnat_rule does with these objects' options."""
    return apply(dnat_rule, objects, check, common)


def snat(*objects: dict[str, Any], check: bool = False, **common: Any) -> Plan:
    return apply(snat_rule, objects, check, common)


def apply(module: Any, objects: Any, check: bool, common: dict[str, Any]) -> Plan:
    defaults = {name: option.get("default") for name, option in module.OPTIONS.items()}
    wanted = validate([{**DEFAULTS, **defaults, **common, **one} for one in objects or [{}]], module.desired)
    with Host() as host:
        return converge(host, Fixed(wanted), check, [])[0]


def steps(plan: Plan) -> list[str]:
    return [f"{step.action} {step.value}" for step in plan.operations]
