# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What Docker and Podman say of their containers."""

from __future__ import annotations

from .._model.errors import Missing
from .program import ask

# Seconds.
ENGINE_TIMEOUT = 20.0


def engine_pid(engine: str, name: str) -> int:
    """The process of a container of Docker or Podman, as its engine says. Errors: Missing when it does not run."""
    pid = inspect(engine, name, "{{.State.Pid}}")
    if not pid.isdigit() or not int(pid):
        what, why = f"container {engine}:{name}", "it does not run, so it has no namespace"
        raise Missing(what, why, f"start it: {engine} start {name}")
    return int(pid)


def inspect(engine: str, name: str, template: str) -> str:
    """What an engine says of a container. Errors: Missing, Unsupported."""
    what = f"container {engine}:{name}"
    arguments = ["container", "inspect", "--format", template, "--", name]
    answer = ask(what, engine, arguments, "", ENGINE_TIMEOUT, f"install {engine}, or name the namespace by pid:")
    if answer.code:
        said = (answer.err.strip().splitlines() or ["no more"])[-1]
        raise Missing(what, f"{engine} does not know it and says: {said}", f"see {engine} ps --all")
    return answer.out.strip()
