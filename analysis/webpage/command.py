"""The work of report.py: a runs folder, its networks on some pictures, and profiles, into one page."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from safmn_bench.ablations.data.benchmarks import embedded_validation, open_benchmarks
from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.stats.caveats import tally
from safmn_bench.analysis.stats.profiles import Profiles, read_profiles
from safmn_bench.analysis.stats.provenance import short_commit
from safmn_bench.analysis.stats.reading import gather
from safmn_bench.analysis.webpage import rows as report_rows
from safmn_bench.analysis.webpage.keeping import Beside, Keep, inside
from safmn_bench.analysis.webpage.looked_into import looked_into
from safmn_bench.analysis.webpage.options import FILE, ReportOptions
from safmn_bench.analysis.webpage.page import Pictures, Runs, View, distinct, profile_grids, render, scale_view
from safmn_bench.analysis.webpage.pictures import comparison, lam_panels, networks_of
from safmn_bench.models.variants import paper_order
from safmn_bench.profiling.common.console import progress
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import write_text
from safmn_bench.profiling.common.machine import commit
from safmn_bench.profiling.common.memory import keep_freed_memory


def make(options: ReportOptions) -> Path:
    """Write the report and return its path. Raises UserError for what cannot be read, done or written."""
    path = options.out / FILE
    device = choose_device(options.device)
    profiles = read_profiles(options.profiles)
    below = gather(options.runs)
    show = Show(
        benchmarks=options.benchmarks, images=options.images, lam=not options.no_lam, steps=options.steps,
        look_inside=options.inside, device=device, window=Window(*options.lam_window) if options.lam_window else None,
        keep=Beside(options.out / f"{path.stem}_pictures") if options.pictures == "beside" else inside,
    )  # fmt: skip
    made = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC by safmn-bench {short_commit(commit())}"
    write_text(path, page_of(below.runs, show, profiles, made, below.unfinished, below.tuned))
    return path


@dataclass(frozen=True, kw_only=True)
class Show:
    """Which pictures the page shows, and how they are made."""

    benchmarks: Sequence[Path] = ()
    images: int
    lam: bool
    look_inside: bool = False
    steps: int
    device: torch.device
    window: Window | None = None
    keep: Keep = inside
    step_batch: int | None = None
    """Path steps at once; None lets the free memory decide, and with it the last digits of an attribution."""


def page_of(
    runs: Runs,
    show: Show,
    profiles: Profiles,
    made: str,
    unfinished: Sequence[Record] = (),
    tuned: Sequence[Record] = (),
) -> str:
    """The page's HTML; `unfinished`: runs without a result, `tuned`: those at their network's own learning rate.

    Raises UserError where it would be too large.
    """
    if show.device.type == "cpu":
        keep_freed_memory()
    runs = sorted(runs, key=lambda run: paper_order(run[1].variant))
    records = [record for _, record in runs]
    scales = sorted({record.scale for record in records})
    view = View(
        title="Super-resolution ablations, measured",
        lead=lead(records, unfinished),
        scales=[scale_view(runs, scale, pictures_of(runs, scale, show), unfinished, tuned) for scale in scales],
        runs=report_rows.runs([*records, *unfinished, *tuned]),
        profiles=profile_grids(profiles),
        recipes=distinct(records, "recipe"),
        machines=distinct(records, "machine"),
        made=made,
        beside=show.keep is not inside,
    )
    return render(view)


def lead(records: Sequence[Record], unfinished: Sequence[Record]) -> str:
    """The report in one sentence: networks, runs, and each failure."""
    at = " and ".join(f"x{scale}" for scale in sorted({record.scale for record in records}))
    return f"{tally(records, unfinished, f' at {at}')}."


def pictures_of(runs: Runs, scale: int, show: Show) -> Pictures:
    """Comparisons and attribution maps at one scale, with a progress bar."""
    pictures = Pictures()
    if not (show.images or show.lam or show.look_inside):
        return pictures
    subjects, pictures.left_out = networks_of([(f, r) for f, r in runs if r.scale == scale])
    if not subjects:
        return pictures
    benchmark = (open_benchmarks(show.benchmarks, scale) or [embedded_validation(scale)])[0]
    items: Sequence[ImageFiles] = benchmark.items
    with progress() as bar:
        for item in bar.track(items[: show.images], description=f"Enlarging x{scale}"):
            pictures.comparisons.append(comparison(subjects, item, scale, show.device, show.keep))
        if show.lam:
            task = bar.add_task(f"Attributing x{scale}", total=show.steps * len(subjects))
            pictures.lam = lam_panels(
                subjects, items[0].hr, scale, window=show.window, steps=show.steps, device=show.device,
                step_batch=show.step_batch, advance=lambda steps: bar.advance(task, steps), keep=show.keep,
            )  # fmt: skip
    if show.look_inside:
        pictures.inside = looked_into(subjects, scale, show.device, show.keep)
    return pictures
