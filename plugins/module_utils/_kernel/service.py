# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.


"""Programs that run for a network: seen by their processes, started, told of changes, stopped.

A service's directory holds its files and three of ours: `spec`, what it was started with, which tells whose it is;
`pid`, its process and when that started (a number alone may be another process's by now); `log`, what it says.

Where systemd runs, a service is one of its transient units, so it is started again when it fails; else a process that
was let go of, and the next run starts it again. Neither outlives a reboot, as /run doesn't.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Optional

from .._model.errors import Conflict, DocknetError, KernelRefused
from .._model.plan import Operation, Question, World
from .._model.service import CHANGED, NameSocket, Service, ServiceChange, ServiceFile
from .._model.words import read_address
from . import files, nameprobe, namespaces, program
from .places import Done, Places

ROOT = "/run/docknet/service"
SYSTEMD = "/run/systemd/system"
SPEC, PID, LOG = "spec", "pid", "log"
# Seconds: until it must have become the program; how long that must then live, unless it rests before; from SIGTERM to
# SIGKILL; from that to the end.
START, SETTLE, POLITE, FORCED = 2.0, 0.1, 3.0, 2.0
STEP = 0.01
SOCKET = re.compile(r"socket:\[([0-9]+)\]")


class Process(NamedTuple):
    """A process that cannot be mistaken for a later one of the same number."""

    pid: int
    start: str


# -- looking --------------------------------------------------------------------------------------------------


def look(places: Places, question: Question, world: World) -> None:
    """The services asked for, and with `owned` all of the owners'."""
    names = set(question.services)
    if question.owned:
        names |= set(files.content(ROOT, ROOT))
    found: dict[str, Service] = {}
    for name in names:
        seen = _seen(places, name) or _left(name, question)
        if seen and (name in question.services or seen.owner in question.owners):
            found[name] = seen
    world.services.update(_troubled(found))


def _troubled(found: Mapping[str, Service]) -> Iterator[tuple[str, Service]]:
    """Each with what keeps it from doing its work although its process is there."""
    trouble = {name: "it is stopped (SIGSTOP)" for name, one in found.items() if one.running and _is_stopped(name)}
    asked = {name: one.answers_at for name, one in found.items() if one.running and name not in trouble}
    trouble.update(dict.fromkeys(nameprobe.silent(asked), "it does not answer"))
    yield from ((name, replace(one, trouble=trouble.get(name))) for name, one in found.items())


def _seen(places: Places, name: str) -> Optional[Service]:
    service = _specification(name)
    if service is None:
        return None
    kept = [_read(name, one.path) == _expand(name, one.content) for one in service.files]
    read = tuple(one if same else one._replace(content=CHANGED) for one, same in zip(service.files, kept))
    return replace(service, files=read, running=_runs(places, service))


def _left(name: str, question: Question) -> Optional[Service]:
    """What a run left that was killed between the directory and its specification, by the name that an owner's services begin with."""
    owner = next((one for one in question.owners if question.owned and name.startswith(f"{one}-")), None)
    there = owner is not None and os.path.lexists(_folder(name))
    return Service(name, owner, running=False) if there else None


def _specification(name: str) -> Optional[Service]:
    """What it was started with. A directory without that was left by a killed run."""
    said = _read(name, SPEC)
    if said is None:
        return None
    try:
        spec: dict[str, Any] = json.loads(said)
        kept = tuple(ServiceFile(*one) for one in spec["files"])
        answers_at = tuple(NameSocket(read_address(address), port) for address, port in spec.get("answers_at", ()))
        command = tuple(spec["command"])
        return Service(name, spec["owner"], spec["netns"], command, kept, spec["package"], answers_at=answers_at)
    except (ValueError, KeyError, TypeError):
        return Service(name)


def _runs(places: Places, service: Service) -> bool:
    """Whether its process is there, and in the namespace that now has the name."""
    process = _process(service.name)
    if process is None or not _alive(process):
        return False
    with contextlib.suppress(OSError, DocknetError):
        here = os.fstat(places.descriptor(service.netns))
        return os.path.samestat(here, os.stat(f"/proc/{process.pid}/ns/net"))
    return False


def _process(name: str) -> Optional[Process]:
    words = (_read(name, PID) or "").split()
    return Process(int(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else None


def _alive(process: Process) -> bool:
    """One that has ended and was not reaped (state Z) is dead."""
    return _state(process) not in "ZX"


def _is_stopped(name: str) -> bool:
    process = _process(name)
    return process is not None and _state(process) == "T"


def _state(process: Process) -> str:
    """One letter of proc_pid_stat(5); X also where the number is another process's by now."""
    with contextlib.suppress(OSError), open(f"/proc/{process.pid}/stat", encoding="utf-8", errors="replace") as file:
        words = file.read().rpartition(")")[2].split()
        return words[0] if len(words) > 19 and words[19] == process.start else "X"
    return "X"


def _read(name: str, file: str) -> Optional[str]:
    """None where there is no plain file of that name."""
    path = os.path.join(_folder(name), file)
    with contextlib.suppress(OSError, Conflict):
        found = files.open_plain(path, path, os.O_RDONLY)
        if found is not None:
            with files.descriptor(found):
                return files.read(found).decode(errors="replace")
    return None


def _folder(name: str) -> str:
    return os.path.join(ROOT, name)


def _expand(name: str, text: str) -> str:
    return text.replace("{dir}", _folder(name))


def sockets() -> dict[int, str]:
    """The sockets of all services by their inodes, with the service's name."""
    found: dict[int, str] = {}
    for name in files.content(ROOT, ROOT):
        process = _process(name)
        folder = f"/proc/{process.pid}/fd" if process and _alive(process) else ""
        with contextlib.suppress(OSError):
            for number in os.listdir(folder) if folder else ():
                with contextlib.suppress(OSError):
                    inode = SOCKET.fullmatch(os.readlink(f"{folder}/{number}"))
                    if inode:
                        found[int(inode[1])] = name
    return found


# -- doing ----------------------------------------------------------------------------------------------------


def check(operations: Sequence[Operation]) -> None:
    """Whether the programs are there, before anything is changed. Errors: Unsupported."""
    for operation in operations:
        value = operation.value
        if isinstance(value, ServiceChange) and operation.action != "delete" and value.start:
            _find(operation.what, value.service)


def _find(what: str, service: Service) -> str:
    way_out = f"install the package {service.package}" if service.package else "install it"
    return program.find(what, service.command[0], way_out)


def change(places: Places, operations: Sequence[Operation]) -> Done:
    """Those that are started are waited for together, at the end."""
    started: list[Operation] = []
    for operation in operations:
        what, value = operation.what, operation.value
        try:
            if operation.action == "delete":
                _remove(what, value.service.name)
            elif value.start:
                _start(places, what, value.service)
                started.append(operation)
                continue
            else:
                _tell(what, value.service)
            yield operation, None
        except DocknetError as error:
            yield operation, error
        except OSError as error:
            why = f"{value} cannot be changed: {error.strerror}"
            yield operation, KernelRefused(what, why, code=error.errno)
    yield from _settled(started)


def _start(places: Places, what: str, service: Service) -> None:
    """Errors: Unsupported where the program is not there: then nothing is changed."""
    path = _find(what, service)
    _stop(what, service.name)
    folder = _folder(service.name)
    with files.existing(what, folder, make=True):
        _write_files(what, service)
    # The lock's file may have been the first in there, with a directory that only root could read.
    os.chmod(os.path.dirname(ROOT), 0o755)
    _write(what, service.name, SPEC, _spec(service))
    _forget(service.name, LOG, PID)
    arguments = [_expand(service.name, word) for word in service.command[1:]]
    command = program.recorded(path, arguments, os.path.join(folder, PID))
    log = os.path.join(folder, LOG)
    if os.path.isdir(SYSTEMD):
        _start_unit(what, service, command, folder, log)
        return
    with places.inside(service.netns):
        program.start(command, folder, log)


def _start_unit(what: str, service: Service, command: list[str], folder: str, log: str) -> None:
    answer = program.ask(what, "systemd-run", unit(service, command, folder, log), "", 30.0, "install systemd")
    if answer.code:
        raise KernelRefused(what, f"systemd does not start {service}: {answer.err.strip()}")


def unit(service: Service, command: list[str], folder: str, log: str) -> list[str]:
    """The arguments of systemd-run(1). A dollar sign is systemd's own before it is the shell's."""
    properties = ["Type=exec", "Restart=on-failure", "RestartSec=1", f"WorkingDirectory={folder}"]
    properties += ["StandardOutput=null", f"StandardError=append:{log}"]
    if service.netns is not None:
        properties.append(f"NetworkNamespacePath={namespaces.path_of(service.netns)}")
    words = ["--quiet", "--collect", "--no-ask-password", f"--unit={_unit(service.name)}"]
    words += [f"--description={service}", *(f"--property={one}" for one in properties)]
    return [*words, "--", *(word.replace("$", "$$") for word in command)]


def _unit(name: str) -> str:
    return f"docknet-{name}.service"


def _settled(started: list[Operation]) -> Done:
    """Each started one with its error, when all have become their programs and lived on for a moment, or come to rest."""
    end = time.monotonic() + START
    since: dict[str, float] = {}
    naps: dict[str, Optional[str]] = {}
    waiting = list(started)
    while waiting:
        time.sleep(STEP)
        now = time.monotonic()
        for operation in list(waiting):
            name = operation.value.service.name
            process = _process(name)
            dead = process is not None and not _alive(process)
            if process is not None and not dead and name not in since and _became(process):
                since[name] = now
            before, naps[name] = naps.get(name), _nap(process) if process and name in since else None
            rests = before is not None and before == naps[name]
            if dead or rests or now >= end or now - since.get(name, now) >= SETTLE:
                waiting.remove(operation)
                alive = process is not None and not dead
                yield operation, None if alive else _ended(operation.what, operation.value.service)


def _became(process: Process) -> bool:
    """Whether it is the program by now, and no more the shell that wrote down its number."""
    with contextlib.suppress(OSError), open(f"/proc/{process.pid}/cmdline", "rb") as file:
        return program.RECORD.encode() not in file.read()
    return False


def _nap(process: Process) -> Optional[str]:
    """Which of its naps it has, if it sleeps: the same one a step later says that it has begun, and waits for others (proc(5))."""
    with contextlib.suppress(OSError), open(f"/proc/{process.pid}/status", encoding="utf-8", errors="replace") as file:
        said = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        return said.get("voluntary_ctxt_switches") if said["State"].startswith("S") else None
    return None


def _ended(what: str, service: Service) -> KernelRefused:
    said = [line.strip() for line in (_read(service.name, LOG) or "").splitlines() if line.strip()]
    last = f': "{said[-1]}"' if said else " without a word"
    why = f"{service.command[0]} ended as soon as it was started{last}"
    return KernelRefused(what, why, f"see {os.path.join(_folder(service.name), LOG)}, and run again")


def _tell(what: str, service: Service) -> None:
    """The specification comes last: until the program was told, its files count as changed."""
    _write_files(what, service)
    process = _process(service.name)
    if process is None or not _alive(process):
        raise KernelRefused(what, f"{service} has ended meanwhile", "run again")
    os.kill(process.pid, signal.SIGHUP)
    _write(what, service.name, SPEC, _spec(service))


def _remove(what: str, name: str) -> None:
    """The specification goes last, so that a killed run leaves it to be found."""
    _stop(what, name)
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(_folder(name))  # something else was put in its place, a link for example
    _forget(name, *(one for one in files.content(what, _folder(name)) if one != SPEC))
    _forget(name, SPEC)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(_folder(name))
    with contextlib.suppress(OSError):
        os.rmdir(ROOT)


def _stop(what: str, name: str) -> None:
    """Errors: KernelRefused where it does not end."""
    if os.path.isdir(SYSTEMD):
        program.ask(what, "systemctl", ["stop", _unit(name)], "", 30.0, "install systemd")
    process = _process(name)
    for number, patience in ((signal.SIGTERM, POLITE), (signal.SIGKILL, FORCED)):
        if process is None or not _alive(process):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
            # A stopped process ends when it continues.
            os.kill(process.pid, signal.SIGCONT)
        end = time.monotonic() + patience
        while _alive(process) and time.monotonic() < end:
            time.sleep(STEP)
    if process and _alive(process):
        raise KernelRefused(what, f"service {name} does not end, not even when killed", "see what holds its process")


# -- its directory --------------------------------------------------------------------------------------------


def _spec(service: Service) -> str:
    said = {"owner": service.owner, "netns": service.netns, "command": service.command, "package": service.package}
    answers_at = [(str(one.address), one.port) for one in service.answers_at]
    return json.dumps({**said, "files": service.files, "answers_at": answers_at}, indent=1)


def _write_files(what: str, service: Service) -> None:
    """Files that it had before and has no more are removed; those of the program itself stay."""
    for file in service.files:
        _write(what, service.name, file.path, _expand(service.name, file.content))
    before = _specification(service.name)
    kept = {file.path for file in service.files}
    _forget(service.name, *(file.path for file in before.files if file.path not in kept) if before else ())


def _write(what: str, name: str, file: str, content: str) -> None:
    """Whole at any moment: a program that reads it meanwhile sees the old or the new. It may run as any user."""
    if _read(name, file) != content:
        files.substitute(what, os.path.join(_folder(name), file), content.encode(), 0o644)


def _forget(name: str, *names: str) -> None:
    folder = files.open_folder(_folder(name), _folder(name))
    if folder is not None:
        with files.descriptor(folder):
            for one in names:
                files.forget(one, folder)
