#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_hosts_link
short_description: Names for other containers in a container's hosts file
version_added: 0.1.0
description:
  - Keeps names for other containers, or for any addresses, in the hosts file of one container, as C(docker run --link) does.
  - Run again after the address of a target has changed, the line follows it.
  - The names of one owner are in one marked block, each line of which is an address and its names. All else in the file is left as it is, to the byte.
  - The file is written in place, so that a container that runs, and has it mounted, sees the change at once.
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
options:
  container: &container
    description:
      - "The container whose hosts file it is. A named namespace's is C(/etc/netns/NAME/hosts), which C(ip netns exec) mounts for what it starts; a file
        that is not there is made, and goes with its last block. That of C(docker:NAME) and C(podman:NAME) is where the engine keeps it; that of C(pid:4242)
        and C(/proc/PID/ns/net) is C(/etc/hosts) as that process sees it."
      - Where that would be the host's own C(/etc/hosts), it is an error. Use O(path) to mean that.
      - One of O(container) and O(path) is needed.
    type: str
  path: &path
    description: A hosts file, by its absolute path. It is made if its directory is there. It may not be a symbolic link.
    type: path
  links: &links
    description: Names for targets, exactly these. Needed unless O(state=absent). An empty list means none.
    type: list
    elements: dict
    suboptions:
      to:
        description:
          - "What the names stand for: a namespace, of which the address of O(links[].interface) is taken, or an address. Left out, the host itself."
          - "A namespace is its name, C(/proc/PID/ns/net), C(pid:4242), C(docker:NAME) or C(podman:NAME)."
        type: str
      names:
        description: Host names, letters, digits and hyphens, with dots between their parts. A name can stand for one target only.
        type: list
        elements: str
        required: true
      interface:
        description:
          - The interface of the target. There is a line for its IPv4 address, and one for its IPv6 address that is not link-local.
          - Of several addresses of a family the lowest is taken. Those with a lifetime, from DHCP or a router, are not seen.
        type: str
        default: eth0
  config:
    description: Several hosts files, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      container: *container
      path: *path
      links: *links
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
notes:
  - A process that C(ip netns exec) started before the namespace had a hosts file has the host's own mounted, and goes on with that.
  - Docker and Podman write a container's hosts file anew when they start it. Run the task again then.
  - A block that somebody has damaged, so that it has no end or is there twice, is an error and is not touched.
  - O(adopt) and O(recreate) have no meaning here. Blocks of other owners are never touched.
  - In check mode a namespace, an interface or an address that is not there yet is taken as made by an earlier task, with a warning. Its
    address is shown as C(unknown).
seealso:
  - module: netwright.docknet.netns
  - module: netwright.docknet.veth_pair
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: The container web reaches the container db by two names
  netwright.docknet.container_hosts_link:
    container: web
    links:
      - to: db
        names: [db, database]

- name: Two containers at once; one of the names is for an address that is no container's
  netwright.docknet.container_hosts_link:
    config:
      - container: web
        links:
          - to: db
            names: [db, database]
          - to: 192.0.2.17
            names: [registry.example.com]
      - container: db
        links:
          - to: web
            names: [web]

- name: Names of containers for the host itself
  netwright.docknet.container_hosts_link:
    path: /etc/hosts
    links:
      - to: web
        names: [web.containers.internal]

- name: Gone again
  netwright.docknet.container_hosts_link:
    container: web
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "hosts block docknet in web", "reason": "missing, and the file with it"}]
hosts:
  description: Each hosts file asked for, with the lines of the owner's block, as it now is. RV(hosts[].path) is null where there is no such container.
  returned: success
  type: list
  elements: dict
  contains:
    container:
      description: The container, or null.
      type: str
      returned: always
      sample: web
    path:
      description: Where the file is.
      type: str
      returned: always
      sample: /etc/netns/web/hosts
    owner:
      description: Whose block it is.
      type: str
      returned: always
      sample: docknet
    present:
      description: Whether there is a block.
      type: bool
      returned: always
      sample: true
    lines:
      description: Its lines.
      type: list
      elements: str
      returned: always
      sample: ["172.17.0.3\tdb database"]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._topology import hosts

LINK = {
    "to": {"type": "str"},
    "names": {"type": "list", "elements": "str", "required": True},
    "interface": {"type": "str", "default": "eth0"},
}

OPTIONS = {
    "container": {"type": "str"},
    "path": {"type": "path"},
    "links": {"type": "list", "elements": "dict", "options": LINK},
}


def main():
    run_module(OPTIONS, ("container", "path"), hosts.desired)


if __name__ == "__main__":
    main()
