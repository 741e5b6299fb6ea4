# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What is true of every module that makes links."""

    DOCUMENTATION = r"""
options: {}
notes:
  - "A namespace is one string wherever an option takes one: the name of a namespace, C(/proc/PID/ns/net), C(pid:4242), or C(docker:NAME) and
    C(podman:NAME) for the container of an engine. Left out, it is the host's own. One that does not exist is an error, and is never made by looking."
  - An option that is left out or null is not managed. It is neither touched nor reported. An empty list means none.
  - What is made carries its owner's mark from the message that makes it (the link's group), and a readable one right after (its alternative name).
  - In check mode a namespace, master or parent that is not there yet is taken as made by an earlier task, with a warning.
"""
