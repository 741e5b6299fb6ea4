# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that answers everybody with the address he came from, so that one sees what the server sees.

python3 whoami.py PORT [REQUESTS]     ends after so many requests
"""

import socket
import sys
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer


class Whoami(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = (self.client_address[0].replace("::ffff:", "") + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Server(ThreadingTCPServer):
    # Not http.server's own, which asks the name service for the host's name before it listens.
    allow_reuse_address = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


with Server(("", int(sys.argv[1])), Whoami) as server:
    if len(sys.argv) > 2:
        for _ in range(int(sys.argv[2])):
            server.handle_request()
    else:
        server.serve_forever()
