# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Planning of programs that run for a network: what they are started with, and whether they run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

from .._model.plan import Question, Wanted, World
from .._model.service import CHANGED, Service, ServiceChange, ServiceFile
from .draft import Draft, claim
from .effect import EFFECTS


def question(wanted: Wanted) -> Question:
    service: Service = wanted.value
    return Question(services={service.name}, namespaces={service.netns} if wanted.present else set())


def plan(wanted: Wanted, draft: Draft) -> None:
    seen = draft.world.services.get(wanted.value.name)
    if not wanted.present:
        if seen:
            claim(wanted, seen.owner, "service")
            draft.do(wanted, "delete", ServiceChange(seen), "to be absent")
        return
    draft.need_namespace(wanted, wanted.value.netns)
    service = replace(wanted.value, owner=wanted.owner, running=True)
    if seen is None:
        draft.do(wanted, "create", ServiceChange(service), "missing")
        return
    reasons = ["adopted"] if claim(wanted, seen.owner, "service") else []
    if service.netns is not None and service.netns not in draft.before.namespaces:
        # It keeps what was deleted alive, and with that an interface whose MAC address another is to have.
        draft.do(wanted, "delete", ServiceChange(seen), "its namespace was deleted", first=True)
        draft.do(wanted, "create", ServiceChange(service), "missing")
        return
    new = _start_again(seen, service)
    told = _differing(seen, service, live=True)
    reasons += new + ([f"{' and '.join(told)} changed"] if told else [])
    if reasons:
        # A change of owner alone leaves the program as it runs.
        draft.do(wanted, "set", ServiceChange(service, start=bool(new)), ", ".join(reasons))


def _start_again(seen: Service, service: Service) -> list[str]:
    """Why the program has to be started anew."""
    found = [] if seen.running else ["it does not run"]
    found += [seen.trouble] if seen.trouble else []
    if seen.command != service.command:
        found.append("started with other arguments")
    if seen.netns != service.netns:
        found.append("in another namespace")
    files = _differing(seen, service, live=False)
    return found + ([f"{' and '.join(files)} changed"] if files else [])


def _differing(seen: Service, service: Service, live: bool) -> list[str]:
    """The names of files that are not as they are to be; one that was or is to be not live counts as not live."""
    before, after = ({one.path: one for one in each.files} for each in (seen, service))
    found = []
    for path in dict.fromkeys((*before, *after)):
        old, new = before.get(path), after.get(path)
        if old != new and live == bool(old and new and old.live and new.live):
            found.append(path)
    return found


def describe(wanted: Wanted, world: World) -> Optional[dict[str, Any]]:
    seen = world.services.get(wanted.value.name)
    if seen is None:
        return None
    running = seen.running and not seen.trouble
    shown = {"owner": seen.owner, "netns": seen.netns, "command": list(seen.command), "running": running}
    return {**shown, "files": {one.path: _lines(one) for one in seen.files}}


def _lines(file: ServiceFile) -> list[str]:
    return ["(changed since the program read it)"] if file.content == CHANGED else file.content.splitlines()


def facts(wanted: Wanted, world: World) -> dict[str, Any]:
    name = wanted.value.name
    seen = world.services.get(name)
    running = seen is not None and seen.running and not seen.trouble
    return {"services": {"name": name, "netns": wanted.value.netns, "present": seen is not None, "running": running}}


def _service(world: World, action: str, value: ServiceChange) -> None:
    if action == "delete":
        world.services.pop(value.service.name, None)
    else:
        world.services[value.service.name] = value.service


EFFECTS[ServiceChange] = _service
