# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports on a stock Debian kernel (`make test-vm`): of SCTP, which small machines' kernels have no sockets for."""

from __future__ import annotations

import socket
import subprocess

import pytest
from ansible_collections.netwright.docknet.tests.kernel.publishing import HOST4, HOST6, dnat, site

MODULES = "br_netfilter veth bridge nf_tables nft_ct nft_nat nft_masq nft_fib_inet nft_chain_nat sctp"
WEB = {4: "172.17.0.3", 6: "fd17::3"}
HOST = {4: HOST4, 6: HOST6}


@pytest.fixture(name="here", scope="module", params=[True, False], ids=["bridge-calls", "no-bridge-calls"])
def fixture_here(request):
    subprocess.run(["modprobe", "-a", *MODULES.split()], check=True, timeout=120)
    with site(request.param) as here:
        here.serve("web", 80)
        for protocol in ("tcp", "sctp"):
            ports = [{"host_port": 8080, "to_ip": address, "to_port": 80} for address in WEB.values()]
            ranges = [{"host_port": "7000-7010", "to_ip": address} for address in WEB.values()]
            dnat(*ports, *ranges, protocol=protocol)
        yield here


@pytest.mark.parametrize(
    "version, here_is, where, loopback",
    [
        (4, "198.51.100.2", "near", False),
        (6, "fd51::2", "near", False),
        (4, "172.17.0.1", "web2", False),
        (6, "fd17::1", "web2", False),
        (4, "172.17.0.1", "web", False),
        (4, "172.17.0.1", None, True),
        (4, HOST4, None, False),
        (6, HOST6, None, False),
    ],
)
def test_sctp(here, version, where, here_is, loopback):
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    for port, to_port in ((8080, 80), (7005, 7005)):
        with here.inside("web"):
            server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        with here.inside(where):
            client = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        with server, client:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((WEB[version], to_port))
            server.listen()
            server.settimeout(10)
            client.settimeout(10)
            client.connect(("127.0.0.1" if loopback else HOST[version], port))
            peer, seen = server.accept()
            with peer:
                peer.sendall(b"hello")
                assert (client.recv(16), seen[0]) == (b"hello", here_is)


def test_tcp_on_this_kernel_too(here):
    assert here.ask("near", HOST4, 8080) == "web:80 sees 198.51.100.2"
    assert here.ask("web", HOST6, 8080) == "web:80 sees fd17::1"
    assert here.ask(None, "127.0.0.1", 8080) == "web:80 sees 172.17.0.1"


def test_everything_goes_again(here):
    for protocol in ("tcp", "sctp"):
        dnat({"host_port": 8080}, {"host_port": "7000-7010"}, protocol=protocol, state="absent")
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=True, timeout=60).stdout == b""
