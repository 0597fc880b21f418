"""The end of a run in print: measured rows, plain bicubic on the same images, and the published row, apart."""

from collections.abc import Mapping, Sequence

from safmn_bench.ablations.metrics import Metric, metrics_in
from safmn_bench.ablations.record import Record
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.paper import read_table


def print_summary(records: Sequence[Record]) -> None:
    """One table: a row per record, a row for bicubic, a row per published figure."""
    benchmarks = list(records[0].scores or records[0].bicubic)
    metrics = metrics_in(metric for scores in records[0].bicubic.values() for metric in scores)
    header = ["row", "params [K]", "FLOPs (MACs) [G]", "acts [M]"]
    header += [f"{name} {metric.heading(metric.title)}" for name in benchmarks for metric in metrics]
    rows = [record_row(record, benchmarks, metrics) for record in records]
    rows.append(["bicubic, same images", "-", "-", "-", *score_cells(records[0].bicubic, benchmarks, metrics)])
    notes = [recipe_line(records[0]), f"Data: {records[0].data.get('placement', 'unknown')}.", records[0].protocol]
    notes += [collapse_line(record) for record in records if record.collapse]
    title = f"Measured, x{records[0].scale}"
    console.print_table(title, header, rows, notes)
    print_published(records)


def record_row(record: Record, benchmarks: Sequence[str], metrics: Sequence[Metric]) -> list[str]:
    """Cells of one record; a collapsed run carries an asterisk, as in the paper's Table 3."""
    star = " *" if record.status == "collapsed" else ""
    cells = [f"{record.variant} seed {record.seed}{star}", console.thousands(record.params)]
    cells += [console.giga(record.flops), console.mega(record.acts)]
    return cells + score_cells(record.scores, benchmarks, metrics)


def score_cells(
    scores: Mapping[str, Mapping[str, float]], benchmarks: Sequence[str], metrics: Sequence[Metric]
) -> list[str]:
    """Each benchmark's scores, or dashes."""
    values = [(scores.get(name, {}).get(metric.name), metric) for name in benchmarks for metric in metrics]
    return ["-" if value is None else f"{value:.{metric.digits.paper}f}" for value, metric in values]


def recipe_line(record: Record) -> str:
    """Recipe, iterations, speed and hardware in one line."""
    machine = record.machine.get("gpu") or f"{record.machine.get('name')}, {record.machine.get('threads')} threads"
    return (
        f"recipe {record.recipe.get('name')}, {counted(record.iterations, 'iteration')} in "
        f"{record.train_seconds:.0f} s ({record.images_per_second:.1f} images/s) on {machine}."
    )


def print_published(records: Sequence[Record]) -> None:
    """The paper's rows of these variants, in a table of their own: other data and another budget."""
    variants = dict.fromkeys(record.variant for record in records)
    published = [row for row in (*read_table("table3.csv"), *read_table("table4.csv")) if row["variant"] in variants]
    if not published:
        return
    header = ["row", "params [K]", "FLOPs (MACs) [G]", "acts [M]"]
    header += ["DIV2K-val PSNR [dB]", "SSIM", "Manga109 PSNR [dB]", "SSIM"]
    scores = ("DIV2K_val_psnr", "DIV2K_val_ssim", "Manga109_psnr", "Manga109_ssim")
    rows = [
        [
            f"paper: {row['variant']}{' *' if row.get('collapsed') == 'yes' else ''}",
            *(row[column] for column in ("params_k", "flops_g", "acts_m", *scores)),
        ]
        for row in {row["variant"]: row for row in published}.values()
    ]
    title = (
        "Published: trained for 500,000 iterations on DIV2K + Flickr2K, scored on other images; do not compare scores"
    )
    console.print_table(title, header, rows)


def collapse_line(record: Record) -> str:
    """When and why training collapsed, and what the scores are of."""
    collapse = record.collapse or {}
    kept = collapse.get("weights_from_iteration")
    scores = f"scores are of the weights at iteration {kept}" if kept else "nothing had been validated before"
    name = f"{record.variant} seed {record.seed}"
    return f"* {name} collapsed at iteration {collapse['iteration']} ({collapse['reason']}); {scores}."
