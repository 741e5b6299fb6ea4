# Copyright (c) 2026, the netwright.docknet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection: it may change without notice.

"""What came of paths that were tried -> what is told of them, and whether it is as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional, Protocol

from .._model.passage import INPUT
from .._model.plan import Question, World
from .._model.trial import Outcome, Patience, Spot, Trial

# How many of those that are not as they should be are named in the sentence.
NAMED = 3


class Design(Protocol):
    """What is tried turns out when the host has been looked at. `serve`: seconds to listen for others instead."""

    question: Question
    patience: Patience
    serve: float
    what: str
    warnings: list[str]

    def trials(self, world: World) -> Sequence[Trial]: ...

    def spots(self, world: World) -> Sequence[Spot]: ...

    def published(self, untold: Iterable[Spot]) -> list[dict[str, Any]]: ...


class Host(Protocol):
    """What is needed of _kernel/host.py."""

    def observe(self, question: Question) -> World: ...

    def attempt(self, trials: Sequence[Trial], patience: Patience) -> list[Outcome]: ...

    def serve(self, spots: Sequence[Spot], seconds: float) -> list[str]: ...


class Report(NamedTuple):
    """What is returned, what the user should know, and the sentence about what is wrong, if anything is."""

    facts: dict[str, Any]
    warnings: list[str]
    wrong: str = ""


def report(host: Host, design: Design) -> Report:
    world = host.observe(design.question)
    if design.serve:
        troubles = host.serve(design.spots(world), design.serve)
        return Report({"paths": [], "published": design.published(())}, troubles)
    trials = design.trials(world)
    # What is not there cannot be entered; that is told of each path that begins or ends there.
    there = [one for one in trials if absent(one, world) is None]
    outcomes = dict(zip(there, host.attempt(there, design.patience)))
    found = [(one, outcomes.get(one) or Outcome(None, one.port, None, absent(one, world) or "")) for one in trials]
    if any(gate.hook == INPUT and gate.drops for gate in world.gates.get(None, ())):
        found = [(one, forgive(one, outcome)) for one, outcome in found]
    bad = [(one, outcome) for one, outcome in found if judge(one, outcome) is not True and not excused(outcome)]
    doubt = [(one, outcome) for one, outcome in found if excused(outcome)]
    untold = [f"{design.what}: {text}" for text in dict.fromkeys(doubtful(one, outcome) for one, outcome in doubt)]
    taken = [one.spot for one, outcome in found if one.spot and (outcome.taken or excused(outcome))]
    facts = {"paths": [show(one, outcome) for one, outcome in found], "published": design.published(taken)}
    return Report(facts, [*design.warnings, *untold], sentence(design.what, bad, len(found)) if bad else "")


def absent(trial: Trial, world: World) -> Optional[str]:
    for ref in (trial.source, trial.spot.netns if trial.spot else None):
        if ref is not None and ref not in world.namespaces:
            missing = world.missing.get(ref)
            return missing.why if missing else f"netns {ref} does not exist"
    return None


def forgive(trial: Trial, outcome: Outcome) -> Outcome:
    """Where the host has a firewall for what comes to itself, that may be why nothing arrives; then it is as the user wants it."""
    if not trial.filtered or not trial.works or outcome.arrived is not False:
        return outcome
    return outcome._replace(arrived=None, excused=True, note="the host's own firewall may have dropped it")


def excused(outcome: Outcome) -> bool:
    """Whether it is nobody's fault that it could not be told."""
    return outcome.arrived is None and outcome.excused


def judge(trial: Trial, outcome: Outcome) -> Optional[bool]:
    if outcome.arrived is None:
        return None
    as_meant = trial.seen_as is None or outcome.seen is None or outcome.seen == trial.seen_as
    return outcome.arrived is trial.works and (not trial.works or as_meant)


def show(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    return {
        "source": trial.sender,
        "target": trial.receiver,
        "address": str(trial.target),
        "protocol": trial.protocol,
        "port": outcome.port or trial.port or None,
        "expected": trial.works,
        "arrived": outcome.arrived,
        "ok": None if excused(outcome) else judge(trial, outcome) is True,
        "why": trial.why,
        "seen_as": str(outcome.seen) if outcome.seen else None,
        "note": outcome.note,
    }


def sentence(what: str, bad: Sequence[tuple[Trial, Outcome]], all_of_them: int) -> str:
    # One of each reason says more than three of one.
    first = list({trial.why: (trial, outcome) for trial, outcome in reversed(bad)}.values())[::-1]
    named = (first + [one for one in bad if one not in first])[:NAMED]
    told = "; ".join(fault(trial, outcome) for trial, outcome in named)
    more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return f"{what}: {len(bad)} of {all_of_them} paths are not as they should be: {told}{more}"


def doubtful(trial: Trial, outcome: Outcome) -> str:
    """The same for all who tried it."""
    where = f"port {trial.spot.port} of " if trial.spot else ""
    return f"{where}{trial.receiver} ({trial.protocol}) was tried and not judged: {outcome.note}"


def fault(trial: Trial, outcome: Outcome) -> str:
    way = f"{trial.sender} -> {trial.receiver} ({trial.protocol} {trial.place(outcome.port or trial.port)})"
    if outcome.arrived is None:
        return f"{way} cannot be tried: {outcome.note}"
    if outcome.arrived and trial.works:
        return f"{way} is seen as {outcome.seen}, not as {trial.seen_as}"
    said = f", {outcome.note}" if outcome.note else ""
    verdict = "arrives" if outcome.arrived else "does not arrive"
    return f"{way} {verdict}{said}, though {trial.why}"
