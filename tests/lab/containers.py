# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers that role topology made on lab hosts, and what can be done from within them."""

from __future__ import annotations

from typing import Any

from ansible_collections.netwright.docknet.tests.lab.lab import Lab
from ansible_collections.netwright.docknet.tests.lab.packets import flow
from ansible_collections.netwright.docknet.tests.lab.play import Run

# A web server that tells its client's address; one that takes what comes to port 5000 and tells its digest, and who sends it 100 MB.
WHOAMI = r"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
http.server.HTTPServer(("", 80), Handler).serve_forever()
"""
SERVE = r"""
import hashlib, socket, sys
server = socket.create_server(("", 5000))
print("ready", flush=True)
there, digest = server.accept()[0], hashlib.sha256()
while part := there.recv(1 << 20):
    digest.update(part)
print(digest.hexdigest(), flush=True)
"""
SEND = r"""
import hashlib, random, socket, sys
data = random.Random(4).randbytes(1 << 20)
digest = hashlib.sha256()
with socket.create_connection((sys.argv[1], 5000)) as there:
    for _ in range(100):
        digest.update(data)
        there.sendall(data)
print(digest.hexdigest())
"""


class Containers:
    """The containers of the lab: where each is, and what it was given."""

    def __init__(self, lab: Lab, raw: dict[str, Any], run: Run) -> None:
        self.lab, self.place = lab, {name: one["host"] for name, one in raw["containers"].items()}
        containers = {
            name: one for report in run.built.values() for name, one in report["topology"]["containers"].items()
        }
        self.addresses = {
            name: [
                one[word] for one in has["networks"].values() for word in ("ipv4_address", "ipv6_address") if one[word]
            ]
            for name, has in containers.items()
        }
        self.networks = {name: {*has["networks"]} for name, has in containers.items()}

    def on(self, network):
        return sorted(name for name, networks in self.networks.items() if network in networks)

    def command(self, name, *words):
        return ["ip", "netns", "exec", name, *words]

    def run(self, name, *words, **options):
        return self.lab.hosts[self.place[name]].run(self.command(name, *words), **options)

    def popen(self, name, *words, **options):
        return self.lab.hosts[self.place[name]].popen(self.command(name, *words), **options)

    def pings(self, name, address, *options):
        return self.run(name, "ping", "-c1", "-W2", *options, address, check=False).returncode == 0

    def flow(self, name, address):
        """A ping, 100 times a second, of which nothing may be lost."""
        return flow(self.lab.hosts[self.place[name]], name, address)
