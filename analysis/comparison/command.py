"""The work of compare.py: counts, times, scores and attributions of several networks become one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from safmn_bench.ablations.data.benchmarks import Benchmark, embedded_validation
from safmn_bench.ablations.data.pair_check import check_sample
from safmn_bench.ablations.data.preflight import lr_choice, notes_of, open_images
from safmn_bench.ablations.metrics import further_metrics
from safmn_bench.ablations.scoring.score import Protocol, protocol_of, score
from safmn_bench.analysis.attribution.attribute import embedded_places, look
from safmn_bench.analysis.comparison.entrants import Entrant, entrants_of
from safmn_bench.analysis.comparison.options import CompareOptions
from safmn_bench.analysis.comparison.table import TIME, scored_field, table_of
from safmn_bench.analysis.networks import Subject, freeze
from safmn_bench.analysis.tabular.command import WRITERS
from safmn_bench.analysis.tabular.table import Table, cells_of
from safmn_bench.models.errors import printable
from safmn_bench.profiling.common.console import Lines, print_table, progress
from safmn_bench.profiling.common.files import require_writable, write_text
from safmn_bench.profiling.common.provenance import write_sidecar
from safmn_bench.profiling.counting.flops import complexity
from safmn_bench.profiling.timing import table as latency
from safmn_bench.profiling.timing.forms import jobs_of
from safmn_bench.profiling.timing.interleaved import measure
from safmn_bench.profiling.timing.options import LatencyOptions


@dataclass(frozen=True)
class Comparison:
    """The table, and what could not be measured, by network."""

    table: Table
    failures: Sequence[str]


def compare(options: CompareOptions, device: torch.device) -> Comparison:
    """Measure all that the options ask for. Raises UserError before any measuring for what cannot be done."""
    further = further_metrics(options.metrics)
    for option in ("csv", "markdown", "latex"):
        require_writable(getattr(options, option), f"--{option}")
    entrants = entrants_of(options, device)
    trained = [entrant for entrant in entrants if entrant.network is not None]
    benchmarks = _opened(options) if trained else []
    protocol = protocol_of(benchmarks, options.scale, further=further)
    notes = _counted(entrants, options.scale)
    notes += _timed(entrants, options, device)
    notes += _scored(trained, benchmarks, protocol, device) if trained else []
    notes += _attributed(trained, options, device) if trained and options.lam else []
    table = table_of(entrants, [benchmark.name for benchmark in benchmarks], protocol.metrics, options, notes)
    return Comparison(table, [failure for entrant in entrants for failure in entrant.failures])


def _opened(options: CompareOptions) -> list[Benchmark]:
    opened = open_images(None, options.benchmarks, options.scale, lr_choice(options))[1]
    benchmarks = opened or [embedded_validation(options.scale)]
    for benchmark in benchmarks:
        check_sample(benchmark.items, benchmark.scale)
    return benchmarks


def _counted(entrants: Sequence[Entrant], scale: int) -> list[str]:
    """Fill in the counts, as complexity.py has them."""
    for entrant in entrants:
        with entrant.attempt("counted"):
            cost = complexity(entrant.candidate, scale)
            entrant.values |= {"params": cost.params, "flops": cost.flops, "acts": cost.acts}
            entrant.remarks += [f"{remark}." for remark in cost.remarks]
            entrant.values["uncounted_ops"] = ";".join(f"{name}={calls}" for name, calls in cost.uncounted_ops.items())
    return [
        "FLOPs are multiply-adds as fvcore counts them, activations all convolution outputs, for an HR image of "
        "1280x720; what fvcore saw and could not count stands in the CSV, and `complexity.py` prints it."
    ]


def _timed(entrants: Sequence[Entrant], options: CompareOptions, device: torch.device) -> list[str]:
    """Fill in times and memory, as latency.py has them: each network once, whatever its weights, in turns."""
    wanted = LatencyOptions(
        models=tuple(dict.fromkeys(entrant.given for entrant in entrants)), scale=options.scale,
        lr_size=options.lr_size, runs=options.runs, implementations=("eager",), threads=options.threads,
        device=options.device,
    )  # fmt: skip
    timed = measure(jobs_of(wanted, device), options.runs)
    rows = latency.rows(timed, "ours", device)
    by_name = dict(zip(wanted.models, zip(timed, rows, strict=True), strict=True))
    for entrant in entrants:
        timing, row = by_name[entrant.given]
        entrant.values |= {key: row[key] for key in TIME}
        entrant.remarks += [f"{remark}." for remark in timing.remarks]
        if timing.failure:
            entrant.failures.append(f"{entrant.title} was not timed: {timing.failure}")
    first, *others = latency.method(rows[0], "ours")
    return [*latency.remarks(rows, timed), f"On {rows[0]['hardware']}: {first}", *others]


def _scored(
    trained: Sequence[Entrant], benchmarks: Sequence[Benchmark], protocol: Protocol, device: torch.device
) -> list[str]:
    """Fill in the mean of each metric on each benchmark."""
    images = sum(len(benchmark.items) for benchmark in benchmarks)
    lines = Lines("Scored", images * len(trained))
    notes = [f"{protocol.text} One training of one seed each: a difference says nothing of another training."]
    with progress() as bar:
        task = bar.add_task("Scoring", total=images * len(trained))

        def watch(*_: object) -> None:
            bar.advance(task)
            lines.advance()

        for entrant in trained:
            assert entrant.network is not None
            for benchmark in benchmarks:
                with entrant.attempt(f"scored on {benchmark.name}"):
                    scores = score(entrant.network, benchmark, protocol, device, watch=watch)
                    entrant.values |= {scored_field(benchmark.name, name): mean for name, mean in scores.means.items()}
                    entrant.remarks += [*scores.notes, *([scores.mean_of] if scores.identical else [])]
    return [*notes, *(f"{benchmark.name}: {benchmark.lr_origin}." for benchmark in benchmarks), *notes_of(benchmarks)]


def _attributed(trained: Sequence[Entrant], options: CompareOptions, device: torch.device) -> list[str]:
    """Fill in the mean DI over the windows that a study takes."""
    places = embedded_places(options.scale)
    total = options.steps * len(places) * len(trained)
    lines = Lines("Path steps done", total)
    with progress() as bar:
        task = bar.add_task("Attributing", total=total)

        def advance(steps: int) -> None:
            bar.advance(task, steps)
            lines.advance(steps)

        for entrant in trained:
            with entrant.attempt("attributed"):
                assert entrant.network is not None
                subject = Subject(entrant.candidate.name, entrant.title, freeze(entrant.network), "")
                indices = [
                    look(subject, *place, method="lam", steps=options.steps, device=device, advance=advance).di
                    for place in places
                ]
                entrant.values |= {"di": fmean(di for di in indices if di is not None), "di_maps": len(indices)}
    return [
        f"DI: mean of {len(places)} windows of embedded photographs, LAM of {options.steps} steps; 100 where every LR "
        "pixel counts the same. It depends much on the window: lam.py shows the maps."
    ]


def show(table: Table) -> None:
    """Print the table and its notes."""
    columns = table.shown()
    header = [f"{column.title} {column.unit}".strip() for column in columns]
    rows = list(cells_of(table, columns, printable, {1: "{}", 2: "{}"}, "*"))
    print_table(table.title, header, rows, table.notes, text_columns=2)


def write(table: Table, options: CompareOptions, device: torch.device) -> None:
    """Write the files that are asked for, beside the CSV how it was made."""
    for name in ("csv", "markdown", "latex"):
        if (path := getattr(options, name)) is not None:
            write_text(path, WRITERS[name](table))
            print(f"Written: {path}")
    if options.csv:
        files = {f"weights {number}": path for number, path in enumerate(options.weight_files, start=1) if path}
        write_sidecar(options.csv, "analysis/compare.py", options.typed, str(device), files)
