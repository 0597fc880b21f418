"""Seeds added to undecided comparisons only: `--seeds-until 0.05 --max-seeds 10`.

All networks are trained with the seeds of --seeds. Then, look by look, the networks that the family does not tell from
the baseline yet, and the baseline, get one seed more, until all are told or have the most. What is decided follows from
the records alone (`judging.sequential`), so a sweep that is started again goes the same way. Records hold the looks:
whoever makes a table of them judges by the same rule.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

from safmn_bench.ablations.judging.pilot import scores_on
from safmn_bench.ablations.judging.sequential import compare_at_looks
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.sweeps.command import twins_among
from safmn_bench.ablations.sweeps.jobs import BASELINE, Job
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.layout import counted, say

ENDED = ("finished", "collapsed")


def require_planned(jobs: Sequence[Job]) -> None:
    """Raise UserError where seeds could not be added: there is no baseline, or nothing is compared with it."""
    names = {job.plan.candidate.name for job in jobs}
    if BASELINE not in names or len(names) < 2:
        raise UserError(
            f"--seeds-until adds seeds until differences from {BASELINE} are decided: name it and another network with "
            "--variants."
        )


def next_seeds(jobs: Sequence[Job], options: RunOptions) -> list[Plan]:
    """The runs of the next look, at every scale; none where all is decided or a run of this look is missing."""
    return [
        plan
        for scale in sorted({job.plan.scale for job in jobs})
        for plan in _next_at([job for job in jobs if job.plan.scale == scale], options)
    ]


def _next_at(jobs: Sequence[Job], options: RunOptions) -> list[Plan]:
    seeds = sorted({job.plan.seed for job in jobs})
    if any(job.state not in ENDED for job in jobs):
        return []
    open_ones = undecided(jobs, options)
    title = f"x{jobs[0].plan.scale}, {counted(len(seeds), 'seed')}"
    if not open_ones or len(seeds) >= options.max_seeds:
        told = f"undecided at the most seeds: {', '.join(open_ones)}" if open_ones else "every comparison is decided"
        say(f"{title}: {told}.", sys.stderr)
        return []
    seed = seeds[-1] + 1
    say(f"{title}: undecided are {', '.join(open_ones)}; they and the baseline get seed {seed}.", sys.stderr)
    plans = {job.plan.candidate.name: job.plan for job in jobs}
    return [_with_seed(plans[name], seed, options) for name in (BASELINE, *open_ones)]


def _with_seed(plan: Plan, seed: int, options: RunOptions) -> Plan:
    folder = RunFolder.of(options.out, plan.candidate.name, plan.scale, seed)
    return replace(plan, seed=seed, folder=folder)


def undecided(jobs: Sequence[Job], options: RunOptions) -> list[str]:
    """Networks that had this look and that no look has told from the baseline; a collapsed one is none of them.

    Judged by the headline metric on the benchmark with most images.
    """
    collapsed = {job.plan.candidate.name for job in jobs if job.state == "collapsed"}
    if BASELINE in collapsed:
        return []  # nothing to compare with
    records = [r for job in jobs if (r := read_record(job.plan.folder)) and job.plan.candidate.name not in collapsed]
    scores = scores_on(records, most_images(records), HEADLINE)
    looks = jobs[0].plan.looks
    assert looks is not None
    twins = twins_among([job.plan for job in jobs if job.plan.candidate.name not in collapsed])
    judged = compare_at_looks(scores, BASELINE, looks, twins)
    seeds = len({job.plan.seed for job in jobs})
    level = options.seeds_until or 0.0
    return [
        name
        for name, comparison in judged.items()
        if len(scores[name]) == seeds and (comparison.p_holm is None or comparison.p_holm >= level)
    ]


def most_images(records: Sequence[Record]) -> str:
    """The benchmark with most images, the first of several."""
    sizes = {name: len(scores.get("images", {})) for record in records for name, scores in record.scores.items()}
    return max(sizes, key=lambda name: sizes[name])
