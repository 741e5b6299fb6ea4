# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""The loop: look, plan, apply, look again. The only file that knows Ansible, and the only one that knows planner and kernel both."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Callable, Protocol, Union

from ansible.module_utils.basic import AnsibleModule

from .._kernel.host import Host
from .._kernel.lock import locked
from .._model.errors import Astray, DocknetError, InvalidRequest, KernelRefused, NotConverged, Several, Unsupported
from .._model.plan import Operation, Plan, Question, Wanted, World
from . import trial
from .announce import announcements
from .order import REMOVAL, rank
from .plan import facts, plan, question

# Waits between looks until what was done is seen, in seconds: some of it (a deleted namespace's links) comes about by itself.
PATIENCE = (0.0, 0.02, 0.1, 0.3, 0.8)
# How often it is planned anew what another process (a routing daemon, a person) has changed meanwhile, and which errors of the kernel mean that.
ROUNDS = 3
MEANWHILE = (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL, errno.EEXIST)


# The options of every module that changes something, beside its own. In an entry of `config` they are the task's unless given.
COMMON: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str", "default": "docknet"},
    "adopt": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
}


def main(
    options: dict[str, dict[str, Any]],
    identity: Union[str, tuple[str, ...]],
    desired: Callable[[dict[str, Any]], Sequence[Wanted]],
) -> None:
    """A whole module: its arguments are one object's `options` or a list of them as `config`.

    `identity` names the option that must be given, or several of which one must be.
    """
    one_of = (identity,) if isinstance(identity, str) else identity
    own = {
        name: {word: value for word, value in option.items() if word != "default"} for name, option in COMMON.items()
    }
    entry: dict[str, Any] = {"type": "list", "elements": "dict", "options": {**options, **own}}
    if len(one_of) > 1:
        entry["required_one_of"] = [one_of]
    else:
        entry["options"][one_of[0]] = {**options[one_of[0]], "required": True}
    module = AnsibleModule(
        argument_spec={**options, **COMMON, "config": entry, "lock_timeout": {"type": "float", "default": 30.0}},
        mutually_exclusive=[(name, "config") for name, option in options.items() if "default" not in option],
        required_one_of=[(*one_of, "config")],
        supports_check_mode=True,
    )
    run(module, desired)


def main_design(
    options: dict[str, dict[str, Any]],
    prepare: Callable[[dict[str, Any]], Design],
    common: Sequence[str] = ("state", "adopt", "recreate"),
) -> None:
    """A whole module of one object, of which what is wanted turns out on the host. Its owner is the object itself."""
    module = AnsibleModule(
        argument_spec={
            **options,
            **{name: COMMON[name] for name in common},
            "lock_timeout": {"type": "float", "default": 30.0},
        },
        supports_check_mode=True,
    )
    execute(module, lambda: prepare(module.params))


def run(module: AnsibleModule, desired: Callable[[dict[str, Any]], Sequence[Wanted]]) -> None:
    """Bring the host to what `desired` makes of each object's arguments, and leave the module."""
    execute(module, lambda: Fixed(validate(objects(module.params), desired)))


class Design(Protocol):
    """What turns out to be wanted when the host has been looked at.

    `question` is what of it must be seen for that. `facts` is what the module returns of what now is. `warnings` grow
    as it turns out.
    """

    question: Question
    warnings: list[str]

    def wanted(self, world: World) -> Sequence[Wanted]: ...

    def facts(self, wanted: Sequence[Wanted], world: World) -> dict[str, Any]: ...


class Fixed:
    """What is wanted however the host is."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._wanted = wanted
        self.question = question(wanted)
        self.warnings: list[str] = []

    def wanted(self, _world: World) -> Sequence[Wanted]:
        return self._wanted

    def facts(self, wanted: Sequence[Wanted], world: World) -> dict[str, Any]:
        return facts(wanted, world)


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """What a run makes is values, which stay to its end and form no cycles: to look for some among them is a twentieth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """The last resort for a system call's error that nothing below has made a sentence of. Errors: KernelRefused."""
    try:
        yield
    except Astray as error:
        raise KernelRefused("host", str(error), "see what denies setns(2), and run again") from error
    except OSError as error:
        raise KernelRefused("host", f"a system call failed: {error}", code=error.errno) from error


@without_collection()
def execute(module: AnsibleModule, prepare: Callable[[], Design]) -> None:
    """Bring the host to what a design wants, and leave the module. `prepare` makes it of valid arguments, or raises."""
    done: list[Operation] = []
    try:
        design = prepare()
        need_root("it changes the kernel's network")
        with sentences(), contextlib.ExitStack() as stack:
            if not module.check_mode:
                stack.enter_context(locked(module.params["lock_timeout"]))
            host = stack.enter_context(Host())
            todo, wanted, world = converge(host, design, module.check_mode, done)
    except DocknetError as error:
        module.fail_json(
            msg=str(error) + progress(done),
            changed=bool(done),
            actions=[operation.report() for operation in done],
            failure=failure(error),
        )
    for warning in dict.fromkeys((*design.warnings, *todo.warnings)):
        module.warn(warning)
    module.exit_json(
        changed=bool(todo.operations),
        actions=[operation.report() for operation in todo.operations],
        diff=difference(todo),
        **design.facts(wanted, world),
    )


def difference(todo: Plan) -> dict[str, dict[str, Any]]:
    """What a plan changes, for --diff: the objects that are not as they were."""
    if not todo.operations:
        return {"before": {}, "after": {}}
    before, after = todo.told
    names = [name for name in after if before[name] != after[name]]
    return {"before": {name: before[name] for name in names}, "after": {name: after[name] for name in names}}


def main_info(answer: Callable[[Host, dict[str, Any]], dict[str, Any]], options: dict[str, Any]) -> None:
    """A whole module that only reads: `answer` gives what is returned."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        need_root("it looks into namespaces")
        with sentences(), Host() as host:
            found = answer(host, module.params)
    except DocknetError as error:
        module.fail_json(msg=str(error), failure=failure(error))
    module.exit_json(changed=False, **found)


def main_trial(options: dict[str, Any], prepare: Callable[[dict[str, Any]], trial.Design]) -> None:
    """A whole module that tries what is there, and fails where that is not as it should be."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        design = prepare(module.params)
        need_root("it sends packets from inside namespaces")
        with sentences(), Host() as host:
            found = trial.report(host, design)
    except DocknetError as error:
        module.fail_json(msg=str(error), failure=failure(error))
    for warning in found.warnings:
        module.warn(warning)
    if found.wrong:
        module.fail_json(msg=found.wrong, failure={"kind": "not_reachable", "object": design.what}, **found.facts)
    module.exit_json(changed=False, **found.facts)


def need_root(why: str) -> None:
    if os.geteuid() != 0:
        raise Unsupported("netwright.docknet", f"{why}, which only root may", "run the task with become: true")


def failure(error: DocknetError) -> dict[str, Any]:
    """What a playbook can test for, beside the sentence."""
    return {"kind": error.kind, "object": getattr(error, "what", None)}


def objects(params: dict[str, Any]) -> list[dict[str, Any]]:
    """One set of arguments for each object: those of the task, or of each entry of `config`, filled up with the task's."""
    common = {name: params[name] for name in ("state", "owner", "adopt", "recreate") if name in params}
    entries = params.get("config")
    if entries is None:
        return [params]
    return [
        {**entry, **{name: value for name, value in common.items() if entry.get(name) is None}} for entry in entries
    ]


def validate(
    arguments: Sequence[dict[str, Any]], desired: Callable[[dict[str, Any]], Sequence[Wanted]]
) -> list[Wanted]:
    """All that is wanted. Errors: every invalid object's at once, before anything is looked at."""
    wanted: list[Wanted] = []
    errors: list[DocknetError] = []
    for each in arguments:
        try:
            wanted += desired(each)
        except InvalidRequest as error:
            errors.append(error)
        except Several as error:
            errors += error.errors
    if errors:
        raise Several(errors) if len(errors) > 1 else errors[0]
    return list(dict.fromkeys(wanted))


def converge(host: Host, design: Design, check: bool, done: list[Operation]) -> tuple[Plan, Sequence[Wanted], World]:
    """Returns the plan, what was wanted, and the world as it is afterwards (in check mode: as it would be).

    `done` grows as the work goes on.
    """
    world = host.observe(design.question)
    wanted = design.wanted(world)
    asked = question(wanted)
    more = asked.beyond(host.looked)
    if more:
        world = host.observe(more, world)
    todo = plan(wanted, world, assume=check)
    if check or not todo.operations:
        return todo, wanted, todo.world
    # What was given back is nobody's, and so not to be asked for as an owner's.
    checked = [one if one.present else one._replace(adopt=True) for one in wanted]
    left: Sequence[Operation] = todo.operations
    refused = ""
    for _round in range(ROUNDS):
        try:
            carry_out(host, left, asked, done)
        except KernelRefused as error:
            if error.code not in MEANWHILE or str(error) == refused:
                raise
            refused = str(error)
        world, left = look_again(host, checked, asked, PATIENCE if not refused else PATIENCE[:1])
        if not left:
            design.warnings += host.announce(announcements(done, world))
            same = len(done) == len(todo.operations)
            return todo if same else replace(todo, operations=tuple(done)), wanted, world
    still = f"{left[0].action} {left[0].value} ({left[0].reason})"
    raise NotConverged(
        left[0].what, f"all was accepted, yet it still needs: {still}", "find out what else changes it, and run again"
    )


def carry_out(host: Host, operations: Sequence[Operation], asked: Question, done: list[Operation]) -> None:
    with uninterrupted():
        try:
            for operation in host.apply(operations, rank, REMOVAL):
                done.append(operation)
        except DocknetError:
            with contextlib.suppress(DocknetError):
                host.announce(announcements(done, host.observe(asked)))
            raise


def look_again(
    host: Host, wanted: Sequence[Wanted], asked: Question, patience: Sequence[float]
) -> tuple[World, Sequence[Operation]]:
    """The world, and what is still to be done in it, as soon as that is nothing."""
    for wait in patience:
        time.sleep(wait)
        world = host.observe(asked)
        left = plan(wanted, world).operations
        if not left:
            break
    return world, left


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """A polite signal waits until the changes are made: what is half made is nobody's wish."""
    held = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def progress(done: Sequence[Operation]) -> str:
    """What an error leaves behind, for its message."""
    if not done:
        return ""
    return f" ({len(done)} steps were done before, the last: {done[-1].action} {done[-1].value}; see actions)"
