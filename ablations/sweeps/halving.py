"""Halving: all runs train to a cut, there those stop that are not among the best, the others go on to their end.

The cut is the first validation at or after the share of the iterations that was asked for, so that a run that goes on
is, bit for bit, one that was never cut: the score at the cut is a line of its validation.csv, and it resumes from its
checkpoint. Who goes on is decided once, by `judging.halving`, and kept in OUT/halving_x<scale>.json: a sweep that is
started again, here or beside this one, does what stands there.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safmn_bench.ablations.judging.halving import Standing, standings
from safmn_bench.ablations.record import validation_at
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.runs.failures import without_result
from safmn_bench.ablations.runs.plan import claim, finished_record
from safmn_bench.ablations.sweeps.jobs import AT_CUT, BASELINE, Job, in_words
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.sealed import read_result, write_sealed


def prepare(jobs: Sequence[Job], options: RunOptions) -> None:
    """Have every job that is to be done end at the cut. Raises UserError where the runs cannot be halved."""
    for scale in sorted({job.plan.scale for job in jobs}):
        alike = [job for job in jobs if job.plan.scale == scale]
        cut = cut_of(alike, options)
        kept_decision(options.out, scale, alike, cut)  # refuses another sweep's before anything is trained
        for job in alike:
            if job.state == "waiting":
                _send_to_cut(job, cut)


def _send_to_cut(job: Job, cut: int) -> None:
    job.plan = replace(job.plan, until=cut)
    if validation_at(job.plan.folder, cut) is None:
        return
    try:
        claim(job.plan)
    except UserError as error:
        job.state, job.cause = "failed", str(error)
        return
    job.state, job.done = AT_CUT, cut


def cut_of(jobs: Sequence[Job], options: RunOptions) -> int:
    """The iteration of the cut. Raises UserError: too early, too few runs, or runs of unequal length."""
    share = options.halve or 0.0
    lengths = {(job.plan.recipe.train.iterations, job.plan.recipe.train.validate_every) for job in jobs}
    if len(lengths) > 1:
        raise UserError(
            "--halve compares all networks at one iteration, but their recipes differ in train.iterations or "
            f"train.validate_every ({', '.join(f'{n} / {every}' for n, every in sorted(lengths))}). Set both alike."
        )
    ((iterations, every),) = lengths
    # a share such as 0.3 may come out a hair above its validation
    cut = every * math.ceil(share * iterations / every - 1e-9)
    if cut >= iterations:
        raise UserError(
            f"--halve {share:g}: no validation lies between iteration {share * iterations:.0f} and the end at "
            f"{iterations}, with one every {every}. Validate more often: --set train.validate_every={iterations // 4}."
        )
    networks = {job.plan.candidate.name for job in jobs}
    if len(networks) < 3 or len(jobs) < 2 * len(networks):
        raise UserError(
            "--halve needs at least three networks and two seeds of each (--seeds 0 1): only repeated seeds tell what "
            "noise is."
        )
    return cut


def settle(jobs: Sequence[Job], options: RunOptions) -> None:
    """After the cut: jobs that go on wait again, the others are stopped, and their records say so."""
    for scale in sorted({job.plan.scale for job in jobs}):
        alike = [job for job in jobs if job.plan.scale == scale]
        cut = cut_of(alike, options)
        decision = kept_decision(options.out, scale, alike, cut) or _decided(alike, options.out, scale, cut)
        for job in (job for job in alike if job.state == AT_CUT):
            job.plan = replace(job.plan, until=None)
            line = next((line for line in decision["networks"] if line["network"] == job.plan.candidate.name), None)
            if line is None or line["goes_on"]:
                job.state = "waiting"
            else:
                _stop(job, cut, decision, line)


_ANEW = "Delete that file to decide anew."


def _path(out: Path, scale: int) -> Path:
    return out / f"halving_x{scale}.json"


def kept_decision(out: Path, scale: int, jobs: Sequence[Job], cut: int) -> dict[str, Any] | None:
    """The decision that was taken before. Raises UserError where that was among other networks, or at another cut."""
    path = _path(out, scale)
    if not path.exists():
        return None
    decision = read_result(path, _ANEW)
    runs = sorted(job.plan.title for job in jobs)
    if any(key not in decision for key in ("runs", "cut", "networks", "dataset")):
        raise UserError(f"{path} is no decision. {_ANEW}")
    if decision["runs"] != runs or decision["cut"] != cut:
        raise UserError(
            f"{path} decided at iteration {decision['cut']} among {len(decision['runs'])} runs; now asked for are "
            f"iteration {cut} and {len(runs)} runs, not the same ones. Choose another --out, or delete that file to "
            "decide anew."
        )
    return decision


def _decided(jobs: Sequence[Job], out: Path, scale: int, cut: int) -> dict[str, Any]:
    """Decide, and write that down before anything follows from it; networks with a collapsed run are not judged."""
    scores: dict[str, dict[int, float]] = {}
    collapsed = {job.plan.candidate.name for job in jobs if job.state == "collapsed"}
    datasets = set()
    for job in jobs:
        known = validation_at(job.plan.folder, cut)
        if known and job.plan.candidate.name not in collapsed:
            datasets.add(known[0])
            scores.setdefault(job.plan.candidate.name, {})[job.plan.seed] = known[1]
    done = {job.plan.candidate.name for job in jobs if finished_record(job.plan) is not None}
    try:
        judged = standings(scores, always={BASELINE, *done})
    except ValueError:
        judged = []  # nearly all collapsed: nobody is judged
    decision = {
        "cut": cut,
        "iterations": jobs[0].plan.recipe.train.iterations,
        "dataset": " + ".join(sorted(datasets)),
        "runs": sorted(job.plan.title for job in jobs),
        "networks": [{**line.to_dict(), "scores": _by_seed(scores, line)} for line in judged],
    }
    write_sealed(_path(out, scale), decision)
    return decision


def _by_seed(scores: dict[str, dict[int, float]], line: Standing) -> dict[str, float]:
    return {str(seed): score for seed, score in sorted(scores[line.network].items())}


def _stop(job: Job, cut: int, decision: dict[str, Any], line: dict[str, Any]) -> None:
    """Write the run's record, unless it is there already."""
    score = line["scores"][str(job.plan.seed)]
    cause = (
        f"by halving at iteration {cut} of {decision['iterations']}: {decision['dataset']} {in_words(score)}; the mean "
        f"of its seeds lies {line['behind']:.3f} below the last network of the top half (80 % interval: "
        f"± {line['half_width']:.3f})"
    )
    job.state, job.cause, job.decided, job.done = "stopped", cause, True, cut
    known = read_record(job.plan.folder)
    if known is not None and known.status == "stopped":
        job.skipped = True
        return
    stopped = {"iteration": cut, "dataset": decision["dataset"], "score": score}
    without_result(job.plan, status="stopped", error=cause, iterations=cut, stopped=stopped).write(job.plan.folder)


def saved(jobs: Sequence[Job]) -> str:
    """How many runs were stopped, and what that saved, in one line; empty where none was."""
    stopped = [job for job in jobs if job.decided]
    if not stopped:
        return ""
    total = sum(job.plan.recipe.train.iterations for job in jobs)
    rest = sum(job.plan.recipe.train.iterations - job.done for job in stopped)
    runs = f"{len(stopped)} of {counted(len(jobs), 'run')}"
    return f"Halving stopped {runs} and saved {100 * rest / total:.0f} % of the iterations."
