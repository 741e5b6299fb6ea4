# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the rings of tests one after the other, whatever fails, and add up.

    rings.py [RING ...]     all of them by default, but those for the night

A ring is a nox session (noxfile.py). What it leaves in tests/output/RING/*.xml is counted; a session that fails
without a failed test in there counts as one failure, and so does one that ran nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "tests" / "output"


class Ring(NamedTuple):
    name: str
    folder: str = "."  # where its tests are
    required: bool = True  # a missing folder is a failure
    minutes: int = 10  # after which it hangs
    nightly: bool = False  # too long for every change: only when asked for by name


# Cheap ones first: what they find need not be waited for.
RINGS = [
    Ring("unit", "tests/unit"),
    Ring("lint"),
    Ring("kernel", "tests/kernel", minutes=20),
    Ring("integration", "tests/integration", minutes=30),
    Ring("vm_short", "tests/vm", minutes=30),
    Ring("vm", "tests/vm", minutes=340, nightly=True),
    Ring("faults", "tests/faults", required=False),
    Ring("parity", "tests/parity", required=False),
    Ring("molecule", "molecule", minutes=25),
    Ring("galaxy"),
    Ring("sanity", minutes=20),
]


class Result(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


def run(ring: Ring) -> Result | None:
    """Run one ring to its end; None where it has no tests yet and needs none."""
    if not (ROOT / ring.folder).exists():
        print(f"{ring.name}: there is no {ring.folder}", flush=True)
        return Result(failed=1) if ring.required else None
    shutil.rmtree(OUTPUT / ring.name, ignore_errors=True)
    start = time.monotonic()
    code = nox(ring)
    passed = failed = skipped = 0
    for file in OUTPUT.glob(f"{ring.name}/*.xml"):
        for case in ElementTree.parse(file).iter("testcase"):
            kinds = {child.tag for child in case}
            if kinds & {"failure", "error"}:
                failed += 1
            elif "skipped" in kinds:
                skipped += 1
            else:
                passed += 1
    if not failed and (code or not passed):
        failed = 1
    return Result(passed, failed, skipped, time.monotonic() - start)


def nox(ring: Ring) -> int:
    """Run the session in a process group of its own, so that nothing of it outlives its time or an interrupt."""
    with subprocess.Popen(
        [Path(sys.executable).parent / "nox", "--session", ring.name], cwd=ROOT, start_new_session=True
    ) as process:
        try:
            return process.wait(ring.minutes * 60)
        except subprocess.TimeoutExpired:
            print(f"{ring.name}: stopped after {ring.minutes} minutes", flush=True)
            return 1
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    asked = sys.argv[1:] or [ring.name for ring in RINGS if not ring.nightly]
    chosen = [ring for ring in RINGS if ring.name in asked]
    unknown = set(asked) - {ring.name for ring in RINGS}
    if unknown:
        sys.exit(f"no such ring: {', '.join(sorted(unknown))}; there are {', '.join(ring.name for ring in RINGS)}")
    results: dict[str, Result] = {}
    for ring in chosen:
        print(f"\n=== {ring.name} ===", flush=True)
        result = run(ring)
        if result is None:
            continue
        results[ring.name] = result
        print(f"=== {ring.name}: {'FAILED' if result.failed else 'ok'}, {result.seconds:.0f} s ===", flush=True)

    total = Result(*(sum(column) for column in zip(*results.values(), strict=True)))
    print(f"\n{'ring':<12} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for name, result in [*results.items(), ("all", total)]:
        print(f"{name:<12} {result.passed:>7} {result.failed:>7} {result.skipped:>8} {result.seconds:>8.0f}")
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
