"""The work of study.py: from a folder of runs to every file that stands beside them.

Byte for byte the same each time: nothing depends on the time, on the order of folders or of sets, or on where the
folder lies; networks run on one thread of the CPU, since sums over threads decide the last bits.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from matplotlib.figure import Figure

from safmn_bench.ablations.judging.significance import Comparison
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.analysis.findings import trainings
from safmn_bench.analysis.findings.findings import PUBLISHED, headline, wanted
from safmn_bench.analysis.findings.lam import STEP_BATCH, read_lam, write_lam
from safmn_bench.analysis.findings.options import StudyOptions
from safmn_bench.analysis.findings.readme import readme
from safmn_bench.analysis.findings.rows import (
    BUDGET_COLUMNS,
    COLLAPSE_COLUMNS,
    RANKING_COLUMNS,
    Rows,
    budgets,
    collapses,
    ranking,
)
from safmn_bench.analysis.findings.runs import SCALE, Study, read_study, starred
from safmn_bench.analysis.findings.structure import by_structure, read_structure, write_structure
from safmn_bench.analysis.findings.trainings import elsewhere, on_benchmark, orders, widest
from safmn_bench.analysis.plots.command import Runs, curves_of, difference_figure, loss_figure, tradeoff_figure
from safmn_bench.analysis.plots.comparisons import delta_figure
from safmn_bench.analysis.plots.style import save, style
from safmn_bench.analysis.stats.groups import BASELINE
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.stats.provenance import days
from safmn_bench.analysis.tabular.command import WRITERS, stable, tabulate
from safmn_bench.analysis.webpage.command import Show, page_of
from safmn_bench.profiling.common.files import write_csv, write_text
from safmn_bench.profiling.common.places import require_writable_folder

TABLES = (3, 4)
FINDINGS = ("ranking.csv", "budget.csv", "collapse.csv", "trainings.csv", "trainings_ranking.csv", "README.md")
_ENDINGS = {"csv": "csv", "latex": "tex", "markdown": "md"}


def make(options: StudyOptions) -> list[Path]:
    """Write everything and return the files. Raises UserError for what cannot be read, done or written."""
    out = options.out or options.runs
    require_writable_folder(out, "--out" if options.out else "--out, --runs")
    torch.set_num_threads(options.threads)  # reading runs networks too, to tell which compute the same
    study = read_study(options.runs)
    written = [write_structure(options.structure, out, options.typed)] if options.structure else []
    written += write_tables(study, out)
    written += [path for name, draw in figures_of(study).items() for path in _saved(draw, out, name)]
    if not options.records_only:
        written += write_lam(study, out, options.steps, torch.device("cpu"), options.typed)
        written.append(write_report(study, out, options))
    return written + write_findings(study, out, options)


def write_tables(study: Study, out: Path) -> list[Path]:
    """Tables 3 and 4 in every format."""
    written = []
    for number in TABLES:
        table = tabulate(
            number, [record for _, record in study.runs], Profiles(), unfinished=study.unfinished, tuned=study.tuned
        )
        for form, ending in _ENDINGS.items():
            written.append(out / f"table{number}.{ending}")
            write_text(written[-1], WRITERS[form](table))
    return written


def figures_of(study: Study) -> dict[str, Callable[[], Figure]]:
    """Name -> how to draw it: Figure 1, both forms of Figure 7, and the differences."""
    records = [record for _, record in study.runs]
    figures: dict[str, Callable[[], Figure]] = {"figure1": lambda: tradeoff_figure(records, Profiles(), SCALE)}
    curves = functools.cache(lambda: curves_of(loss_runs(study), SCALE))
    figures["figure7"] = lambda: loss_figure(curves())
    if study.baseline and len(study.rows) > 1:
        figures["figure7_differences"] = lambda: cast(Figure, difference_figure(curves()))
    dataset = headline(study)
    if any((dataset, HEADLINE) in row.comparisons for row in study.rows):
        paper = {network.name: network.published for network in wanted(study)}
        further = functools.partial(_by_another_training, study, dataset)
        figures["differences"] = lambda: delta_figure(study.rows, dataset, paper, PUBLISHED, *further())
    return figures


def _by_another_training(study: Study, dataset: str) -> tuple[dict[str, Comparison], str]:
    """The differences that the figure shows beside the study's, with what its legend calls them."""
    training, differences = widest(on_benchmark(study, dataset))
    return differences, "own learning rates" if training == trainings.OWN_RATE else f"training {training}"


def loss_runs(study: Study) -> Runs:
    """The rows' runs, the baseline's first, last those of networks that collapse."""
    last = {*starred(), *(row.name for row in study.rows if row.collapsed)}
    names = sorted((row.name for row in study.rows), key=lambda name: (name != BASELINE, name in last))
    ours = {id(record) for record in study.records}
    return [run for name in names for run in study.runs if run[1].variant == name and id(run[1]) in ours]


def _saved(draw: Callable[[], Figure], out: Path, name: str) -> list[Path]:
    with style():
        return save(draw(), out, name)


def write_report(study: Study, out: Path, options: StudyOptions) -> Path:
    """report.html, dated by its records."""
    measured = days([record for _, record in study.runs])
    made = f"by analysis/study.py from the records in {study.name}, measured {measured}"
    show = Show(images=options.images, lam=True, steps=options.steps, device=torch.device("cpu"), step_batch=STEP_BATCH)
    write_text(out / "report.html", page_of(study.runs, show, Profiles(), made, study.unfinished, study.tuned))
    return out / "report.html"


def write_findings(study: Study, out: Path, options: StudyOptions) -> list[Path]:
    """The study's own CSV files, and README.md. What was measured before and not now is read from the runs' folder."""
    lam = read_lam(options.runs if options.records_only else out)
    structure = by_structure(study, read_structure(out if options.structure else options.runs))
    ranked, compared = ranking(study), budgets(study)
    _write_rows(out / "ranking.csv", RANKING_COLUMNS, ranked)
    _write_rows(out / "budget.csv", BUDGET_COLUMNS, compared)
    _write_rows(out / "collapse.csv", COLLAPSE_COLUMNS, collapses(study))
    others = elsewhere(study)
    _write_rows(out / "trainings.csv", trainings.COLUMNS, [*trainings.training_rows(others)])
    ordered = orders(study)
    _write_rows(out / "trainings_ranking.csv", trainings.ORDER_COLUMNS, [*trainings.order_rows(ordered)])
    figures = [f"{name}.png" for name in figures_of(study)]
    write_text(out / "README.md", readme(study, ranked, compared, lam, structure, figures, others, ordered))
    return [out / name for name in FINDINGS]


def _write_rows(path: Path, columns: Sequence[str], rows: Rows) -> None:
    write_csv(path, columns, [{k: stable(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows])
