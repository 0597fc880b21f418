"""The table of a comparison: its fields, which are the CSV's columns, and what is shown of them."""

from collections.abc import Sequence

from safmn_bench.ablations.metrics import Metric
from safmn_bench.analysis.comparison.entrants import Entrant
from safmn_bench.analysis.comparison.options import CompareOptions
from safmn_bench.analysis.tabular.table import MEASURED, Column, Piece, Row, Table
from safmn_bench.profiling.common.layout import counted

COUNTS = ("params", "flops", "acts", "uncounted_ops")
TIME = (
    *("device", "dtype", "lr_height", "lr_width", "threads", "median_ms", "p10_ms", "p90_ms", "ci_low_ms"),
    *("ci_high_ms", "runs", "place", "peak_memory_mib", "weights_mib", "hardware"),
)


def scored_field(dataset: str, metric: str) -> str:
    """The CSV's column of a mean: Set5_psnr_y_db."""
    return f"{dataset}_{metric}"


def table_of(
    entrants: Sequence[Entrant],
    datasets: Sequence[str],
    metrics: Sequence[Metric],
    options: CompareOptions,
    notes: Sequence[str],
) -> Table:
    """A row per network; under it its remarks, how each figure was made, and which networks are untrained."""
    scores = [scored_field(dataset, metric.name) for dataset in datasets for metric in metrics]
    untrained = [entrant.title for entrant in entrants if entrant.network is None]
    remarks = [f"{entrant.title}: {remark}" for entrant in entrants for remark in dict.fromkeys(entrant.remarks)]
    if untrained:
        remarks.append(f"Untrained, so without scores: {', '.join(untrained)}. Give their weights with --weights.")
    return Table(
        heading="",
        title=f"{counted(len(entrants), 'network')} at x{options.scale}.",
        fields=["model", "scale", "weights", *COUNTS, *TIME, *scores, "di", "di_maps"],
        columns=[*_costs(), *_times(options.lr_size), *_scores(datasets, metrics), _di()],
        rows=[Row(values={"model": entrant.title, "scale": options.scale, **entrant.values}) for entrant in entrants],
        notes=[*remarks, *(failure for entrant in entrants for failure in entrant.failures), *notes],
    )


def _costs() -> list[Column]:
    def counted(title: str, unit: str, key: str, divisor: float, digits: int) -> Column:
        return _measured(title, unit, Piece(key=key, digits=digits, unit=divisor, better=-1))

    return [
        Column(title="network", pieces=[Piece(key="model")]),
        Column(title="weights", pieces=[Piece(key="weights")]),
        counted("params", "[K]", "params", 1e3, 2),
        counted("FLOPs (MACs)", "[G]", "flops", 1e9, 3),
        counted("acts", "[M]", "acts", 1e6, 2),
    ]


def _times(lr_size: str) -> list[Column]:
    """Not marked where least: which medians are told apart, the place says."""
    spread = [Piece(key="median_ms", digits=2)]
    spread += [Piece(key=key, before=" / ", digits=2) for key in ("p10_ms", "p90_ms")]
    return [
        _measured(f"time, LR {lr_size}, median / p10 / p90", "[ms]", *spread),
        _measured("place", "", Piece(key="place")),
        _measured("peak memory", "[MiB]", Piece(key="peak_memory_mib", digits=1)),
    ]


def _scores(datasets: Sequence[str], metrics: Sequence[Metric]) -> list[Column]:
    return [
        _measured(
            f"{dataset} {metric.title}",
            f"[{metric.unit}]" if metric.unit else "",
            Piece(key=scored_field(dataset, metric.name), digits=metric.digits.table, better=metric.better),
        )
        for dataset in datasets
        for metric in metrics
    ]


def _di() -> Column:
    return _measured("DI", "", Piece(key="di", digits=1))


def _measured(title: str, unit: str, *pieces: Piece) -> Column:
    return Column(title=title, unit=unit, pieces=pieces, band=MEASURED)
