#!/usr/bin/python
# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: netns
short_description: Named network namespaces
version_added: 0.1.0
description:
  - Makes and removes network namespaces that have a name below C(/run/netns), as C(ip netns) does, and sets kernel settings inside.
  - Its loopback is up, and marked with the owner's name before anyone can see the namespace.
  - Removing one deletes the links of the same owner in it first, so that a process still running inside does not keep their other ends alive.
  - The owner's block in its hosts file, C(/etc/netns/NAME/hosts), goes with it. What is no plain file there is left alone.
extends_documentation_fragment:
  - netwright.docknet._attributes
  - netwright.docknet._common
options:
  name:
    description: Name of the namespace, up to 127 letters, digits and C(_ . + -).
    type: str
  sysctls: &sysctls
    description:
      - Kernel settings inside the namespace, by name. Only settings below C(net.) belong to a namespace.
      - As for C(sysctl), dots divide the name, and a slash stands for a dot within a part.
    type: dict
  config:
    description: Several namespaces, each with the options above. What an entry leaves out of O(config[].state), O(config[].owner),
      O(config[].adopt) and O(config[].recreate) is taken from the task.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the namespace.
        type: str
        required: true
      sysctls: *sysctls
      state: {description: As O(state)., type: str, choices: [present, absent]}
      owner: {description: As O(owner)., type: str}
      adopt: {description: As O(adopt)., type: bool}
      recreate: {description: As O(recreate)., type: bool}
author:
  - The netwright.docknet authors (@netwright)
"""

EXAMPLES = r"""
- name: A namespace that plays a container
  netwright.docknet.netns:
    name: web

- name: Two at once, one with a setting
  netwright.docknet.netns:
    config:
      - name: front
        sysctls:
          net.ipv4.ip_unprivileged_port_start: 0
      - name: back

- name: Gone again
  netwright.docknet.netns:
    name: web
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be, in order.
  returned: always
  type: list
  elements: dict
  sample: [{"action": "create", "object": "netns web", "reason": "missing"}]
namespaces:
  description: Each namespace asked for, as it now is. C(path) and C(owner) are null where it is absent.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "web", "owner": "docknet", "path": "/run/netns/web", "present": true}]
"""

from ansible_collections.netwright.docknet.plugins.module_utils._engine.run import main as run_module
from ansible_collections.netwright.docknet.plugins.module_utils._model.namespace import Namespace, Sysctl
from ansible_collections.netwright.docknet.plugins.module_utils._topology import normalise
from ansible_collections.netwright.docknet.plugins.module_utils._topology.wish import label, wish

OPTIONS = {
    "name": {"type": "str"},
    "sysctls": {"type": "dict"},
}


def desired(params):
    """The namespace and its settings that one object's arguments ask for."""
    what = label("netns", params["name"], None)
    name = normalise.netns_name(what, "name", params["name"])
    make = wish(what, params)
    found = [make(Namespace(name))]
    settings = normalise.sysctls(what, params["sysctls"])
    found += [make(Sysctl(name, path, value)) for path, value in settings.items()]
    return found if params["state"] == "present" else found[:1]


def main():
    run_module(OPTIONS, "name", desired)


if __name__ == "__main__":
    main()
