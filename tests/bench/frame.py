# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benches of modules share: their work, from after their imports to their answers, against a script of the host's own tools.

Both in fresh network and mount namespaces, by turns, in one run; the median ratio is the result.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

Call = tuple[str, dict[str, Any]]


class Bench(NamedTuple):
    """`prepare` is a shell script, and the peer's time is what its own, made by `peer` beside its files, says in nanoseconds.

    `calls` are the modules' names and arguments, `remove` those that leave nothing behind. `floor`, where there is one, is
    what does the same without looking or planning, in seconds, from what the modules answered.
    """

    what: str
    prepare: str
    peer: Callable[[int, Path], str]
    calls: Callable[[int], Sequence[Call]]
    remove: Callable[[int], Sequence[Call]]
    floor: Optional[Callable[[int, Sequence[dict[str, Any]]], float]] = None


def main(bench: Bench, rounds: int) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--inner", choices=("modules", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inner:
        inner(bench, options.inner, options.count, options.folder)
        return
    found: dict[str, list[float]] = {}
    for turn in range(options.rounds):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            theirs = int(isolated(f"{bench.prepare}\n{bench.peer(options.count, Path(folder))}")) / 1e9
            again = f"{bench.prepare}\nexec {sys.executable} {sys.argv[0]} --count={options.count} --folder={folder}"
            mine = json.loads(isolated(f"{again} --inner=modules").splitlines()[-1])
            floor = json.loads(isolated(f"{again} --inner=floor")) if bench.floor else {}
        spent = {"host's tools": theirs, **mine, **floor}
        print(f"round {turn + 1}:", ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in spent.items()))
        for name, seconds in {**mine, **floor}.items():
            other = "modules" if name == "unchanged" else "host's tools"
            found.setdefault(f"{name} / {other}", []).append(seconds / spent[other])
    spread = (f"{k} = {statistics.median(v):.2f} (from {min(v):.2f} to {max(v):.2f})" for k, v in found.items())
    print(f"{options.count} {bench.what}: {', '.join(spread)}")


def isolated(script: str) -> str:
    command = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        sys.exit(f"{script[-200:]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def inner(bench: Bench, what: str, count: int, folder: Path) -> None:
    """In the fresh namespaces: import, then time the work."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import conftest  # noqa: F401 -- puts ansible_collections on the path
    from ansible_collections.netwright.docknet.tests.direct import call

    calls = bench.calls(count)
    for name, _arguments in calls:
        importlib.import_module(f"ansible_collections.netwright.docknet.plugins.modules.{name}")  # this is not timed
    if what == "floor" and bench.floor:
        print(json.dumps({"floor": bench.floor(count, json.loads((folder / "answers").read_text()))}))
        return
    spent = {}
    answers: list[dict[str, Any]] = []
    for turn, changed in (("modules", True), ("unchanged", False)):
        begin = time.perf_counter()
        for name, arguments in calls:
            answers.append(call(name, **arguments))
            if answers[-1].get("failed") or answers[-1]["changed"] is not changed:
                sys.exit(f"{name}: {answers[-1].get('msg') or answers[-1]['actions'][:3]}")
        spent[turn] = time.perf_counter() - begin
    (folder / "answers").write_text(json.dumps(answers[: len(calls)]))
    for name, arguments in bench.remove(count):
        call(name, **arguments)
    print(json.dumps(spent))
