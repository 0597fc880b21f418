"""The work of runtimes.py: every form of every network is judged, then all are timed in turns; one table comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from safmn_bench.ablations.data.benchmarks import Benchmark, embedded_validation
from safmn_bench.ablations.data.pair_check import check_sample
from safmn_bench.ablations.data.preflight import lr_choice, open_images
from safmn_bench.ablations.deployment.judge import Judgement, judged
from safmn_bench.ablations.deployment.options import RuntimesOptions
from safmn_bench.ablations.scoring.loading import load
from safmn_bench.ablations.scoring.score import Protocol, protocol_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate, written
from safmn_bench.profiling.common.console import Lines, progress
from safmn_bench.profiling.common.options import lr_size
from safmn_bench.profiling.runtimes.catalog import RUNTIMES
from safmn_bench.profiling.runtimes.recipe import read
from safmn_bench.profiling.runtimes.runtime import TOLERANCE
from safmn_bench.profiling.timing.forms import Job, check
from safmn_bench.profiling.timing.interleaved import Timed, measure

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One form of one network: what it computes and how long it takes."""

    judgement: Judgement
    timed: Timed

    @property
    def strays(self) -> bool:
        """Whether its float32 output differs by more than rounding explains."""
        difference = self.judgement.largest_difference
        return self.timed.job.dtype == "fp32" and difference is not None and not difference <= TOLERANCE


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All rows, and what decided their scores."""

    rows: Sequence[Row]
    benchmarks: Sequence[Benchmark]
    protocol: Protocol

    @property
    def failures(self) -> list[str]:
        """What went wrong, by form; one that cannot be had here is told in its row, and is no failure."""
        failed = [
            f"{row.timed.job} was not measured: {row.timed.failure}"
            for row in self.rows
            if row.timed.failure and not row.judgement.absent
        ]
        return failed + [
            f"{row.timed.job} differs from PyTorch by {row.judgement.largest_difference:.1e}, more than {TOLERANCE:g}."
            for row in self.rows
            if row.strays
        ]


def measure_all(
    options: RuntimesOptions, benchmarks: Sequence[Benchmark], seen: Callable[[Measured], object]
) -> Measured:
    """Judge and time. Raises UserError before any measuring for a wrong name or weight file.

    `seen` is given all rows so far after each round of timing.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    jobs = _jobs(options)
    protocol = protocol_of(benchmarks, options.scale)
    judgements = _judged(jobs, benchmarks, protocol)

    def told(timings: Sequence[Timed]) -> Measured:
        measured = Measured(rows=_rows(judgements, timings), benchmarks=benchmarks, protocol=protocol)
        seen(measured)
        return measured

    able = [judgement.job for judgement in judgements if judgement.failure is None]
    return told(measure(able, options.runs, told))


def _jobs(options: RuntimesOptions) -> list[Job]:
    width, height = lr_size(options.lr_size)
    for model, weights in zip(options.models, options.weight_files, strict=True):
        if weights is not None:
            load(find_candidate(model), options.scale, weights)  # raises where they do not fit
    for recipe in filter(None, options.recipes):
        read(recipe)  # raises where it is none
    return [
        Job(
            model=written(model),
            scale=options.scale,
            implementation=implementation,
            dtype=dtype,
            device="cpu",
            height=height,
            width=width,
            threads=torch.get_num_threads(),
            allocator=options.allocator,
            weights=str(weights) if weights else None,
            recipe=str(recipe) if recipe else None,
        )
        for model, weights, recipe in zip(options.models, options.weight_files, options.recipes, strict=True)
        for dtype in dict.fromkeys(options.dtypes)
        for implementation in dict.fromkeys(options.implementations)
    ]


def opened_benchmarks(options: RuntimesOptions) -> list[Benchmark]:
    """Those that the options name, or the embedded photographs; none where no network has weights to score."""
    if not any(options.weight_files):
        return []
    opened = open_images(None, options.benchmarks, options.scale, lr_choice(options))[1]
    benchmarks = opened or [embedded_validation(options.scale)]
    for benchmark in benchmarks:
        check_sample(benchmark.items, benchmark.scale)
    return benchmarks


def refusal(job: Job) -> str | None:
    """Why a form cannot be had here; None where it can."""
    find_candidate(job.model).build(job.scale)  # raises for a wrong name or scale, which no other row could have
    try:
        check(job)
        if job.implementation in RUNTIMES:
            RUNTIMES[job.implementation].require(job.dtype)
    except UserError as error:
        return str(error)
    return None


def _judged(jobs: Sequence[Job], benchmarks: Sequence[Benchmark], protocol: Protocol) -> list[Judgement]:
    lines = Lines("Differences and scores", len(jobs))
    judgements = []
    with progress() as bar:
        for job in bar.track(jobs, description="Differences and scores"):
            reason = refusal(job)
            judgement = Judgement(job=job, failure=reason, absent=True) if reason else judged(job, benchmarks, protocol)
            judgements.append(judgement)
            lines.advance(about=str(job))
    return judgements


def _rows(judgements: Sequence[Judgement], timings: Sequence[Timed]) -> list[Row]:
    untimed = {judgement.job: Timed(job=judgement.job, failure=judgement.failure) for judgement in judgements}
    timed = untimed | {timing.job: timing for timing in timings}
    return [Row(judgement=judgement, timed=timed[judgement.job]) for judgement in judgements]
