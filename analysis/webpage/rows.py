"""The report's tables as plain values: templates format and escape, and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safmn_bench.ablations.judging.significance import Comparison
from safmn_bench.ablations.metrics import HEADLINE, METRICS, Metric
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.caveats import below_bicubic, changes_of
from safmn_bench.analysis.stats.groups import BASELINE, Measured, datasets_of, metrics_of
from safmn_bench.analysis.stats.provenance import hardware, short_commit
from safmn_bench.models.errors import printable


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a table: `value` sorts it (None is last, whatever the direction), `shown` is read."""

    value: float | str | None
    shown: str
    note: str = ""
    """Small print beside it, such as an interval."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A sortable table; the first column names the row."""

    caption: str
    header: Sequence[tuple[str, str]]
    """Title and unit of each column."""
    rows: Sequence[Sequence[Cell]]
    benchmarks: Sequence[str] = ()
    """The benchmark of each column, empty for what is shown with any; none: the columns are not chosen."""

    def choices(self) -> list[str]:
        """The benchmarks to choose from, where there are several."""
        known = [name for name in dict.fromkeys(self.benchmarks) if name]
        return known if len(known) > 1 else []

    def is_figure(self, column: int) -> bool:
        """Whether a column holds numbers, which stand flush right."""
        return any(isinstance(row[column].value, float | int) for row in self.rows)


def number(value: float | None, digits: int, note: str = "") -> Cell:
    """A figure at so many decimals; a dash where there is none."""
    return Cell(
        value=value, shown="–" if value is None else rounded(value, digits), note=note if value is not None else ""
    )


def rounded(value: float, digits: int, sign: str = "") -> str:
    """A number at so many decimals; what rounds to zero has no sign."""
    shown = f"{value:{sign}.{digits}f}"
    return shown if float(shown) else shown.lstrip("+-")


def words(text: object, note: str = "") -> Cell:
    """Text, sorted without regard to case; control characters become spaces."""
    clean = printable(str(text))
    return Cell(value=clean.casefold(), shown=clean, note=printable(note))


def settings_of(rows: Sequence[Measured]) -> dict[str, str]:
    """Setting -> letter, in the order met; rows of different settings do not compare."""
    return {setting: chr(ord("A") + i % 26) for i, setting in enumerate(dict.fromkeys(row.setting for row in rows))}


def overview(rows: Sequence[Measured], scale: int) -> Grid:
    """A row per network and setting: costs, and each benchmark's scores as mean over seeds with its interval."""
    datasets, metrics = datasets_of(rows), metrics_of(rows)
    settings = settings_of(rows)
    header = [("variant", ""), ("params", "K"), ("FLOPs (MACs)", "G"), ("activations", "M")]
    for dataset in datasets:
        header += [(f"{printable(dataset)} {metric.label}", metric.unit) for metric in metrics]
    header += [("seeds", ""), *([("setting", "")] if len(settings) > 1 else []), ("changes", "")]
    body = [_overview_row(row, datasets, metrics, settings) for row in rows]
    body.append(_bicubic_row(rows, datasets, metrics, len(header)))
    chosen = [printable(dataset) for dataset in datasets for _ in metrics]
    benchmarks = ["", "", "", "", *chosen, *[""] * (len(header) - 4 - len(chosen))]
    return Grid(caption=f"Measured at x{scale}", header=header, rows=body, benchmarks=benchmarks)


def _overview_row(
    row: Measured, datasets: Sequence[str], metrics: Sequence[Metric], settings: dict[str, str]
) -> list[Cell]:
    record = row.records[0]
    collapsed = f"{row.collapsed} of {len(row.records)} collapsed" if row.collapsed else ""
    below = [dataset for dataset in datasets if below_bicubic(row, dataset)]
    noted = [collapsed] if collapsed else []
    noted += [f"not above bicubic on {', '.join(below)}"] if below else []
    cells = [words(row.name, "; ".join(noted))]
    cells += [number(record.params / 1e3, 2), number(record.flops / 1e9, 3), number(record.acts / 1e6, 2)]
    for dataset in datasets:
        cells += [_score(row, dataset, metric) for metric in metrics]
    cells.append(number(len(row.records), 0))
    cells += [words(settings[row.setting])] if len(settings) > 1 else []
    return [*cells, words(changes_of(row.records[0]))]


def _score(row: Measured, dataset: str, metric: Metric) -> Cell:
    score, digits = row.score(dataset, metric.name), metric.digits.report
    if score is None:
        return number(None, digits)
    return number(score.mean, digits, f"± {score.half_width:.{digits}f}" if score.half_width is not None else "")


def _bicubic_row(
    rows: Sequence[Measured], datasets: Sequence[str], metrics: Sequence[Metric], columns: int
) -> list[Cell]:
    """Plain bicubic on the same images, of the first record that has it."""
    known: dict[str, Any] = {}
    for record in (record for row in rows for record in row.records):
        known = {**record.bicubic, **known}
    cells = [words("bicubic"), *(number(None, 0) for _ in range(3))]
    for dataset in datasets:
        scores = known.get(dataset, {})
        cells += [number(scores.get(metric.name), metric.digits.report) for metric in metrics]
    cells += [number(None, 0) for _ in range(columns - len(cells) - 1)]
    return [*cells, words("plain enlargement of the same images")]


def deltas(rows: Sequence[Measured], dataset: str) -> Grid | None:
    """Every network minus the baseline of its setting on one benchmark: the headline's difference with how it was
    judged, then those of the other metrics. None where nothing is compared.
    """
    compared = [row for row in rows if (dataset, HEADLINE) in row.comparisons]
    if not compared:
        return None
    headline, others = METRICS[HEADLINE], [metric for metric in metrics_of(rows) if metric.name != HEADLINE]
    header = [
        ("variant", ""),
        (f"Δ {headline.label}", headline.unit),
        ("95 % interval", headline.unit),
        ("p", ""),
        ("p (Holm)", ""),
        ("verdict", ""),
    ]
    header += [*((f"Δ {metric.label}", metric.unit) for metric in others), ("seeds", ""), ("images", "")]
    body = [_delta_row(row, dataset, others) for row in compared]
    if any(row.tuned for row in compared):
        header += [("own learning rate", "x recipe's"), (f"Δ {headline.label} at own rates", headline.unit)]
        header += [("p (Holm) at own rates", ""), ("verdict at own rates", "")]
        body = [[*cells, *_tuned_cells(row, dataset)] for row, cells in zip(compared, body, strict=True)]
    return Grid(caption=f"Difference from {BASELINE} on {printable(dataset)}", header=header, rows=body)


def _tuned_cells(row: Measured, dataset: str) -> list[Cell]:
    """The network's own rate, and its difference from the baseline at the baseline's own."""
    comparison, digits = (
        row.tuned.comparisons.get((dataset, HEADLINE)) if row.tuned else None,
        METRICS[HEADLINE].digits.report,
    )
    judged = words(_verdict(comparison, digits)) if comparison else number(None, 0)
    return [
        number(row.rate, 2),
        _difference(comparison, digits),
        _chance(comparison.p_holm if comparison else None),
        judged,
    ]


def _verdict(comparison: Comparison, digits: int) -> str:
    return {"": "significant", "(alone)": "significant alone, not in the family"}.get(
        comparison.verdict, comparison.told(digits)
    )


def _delta_row(row: Measured, dataset: str, others: Sequence[Metric]) -> list[Cell]:
    comparison, digits = row.comparisons[dataset, HEADLINE], METRICS[HEADLINE].digits.report
    low_high = Cell(value=None, shown="–")
    if comparison.half_width is not None:
        low, high = comparison.difference - comparison.half_width, comparison.difference + comparison.half_width
        low_high = Cell(
            value=comparison.half_width, shown=f"{rounded(low, digits, '+')} to {rounded(high, digits, '+')}"
        )
    return [
        words(row.name),
        _difference(comparison, digits),
        low_high,
        _chance(comparison.p),
        _chance(comparison.p_holm),
        words(_verdict(comparison, digits)),
        *(_difference(row.comparisons.get((dataset, other.name)), other.digits.report) for other in others),
        number(comparison.seeds, 0),
        number(comparison.images, 0),
    ]


def _difference(comparison: Comparison | None, digits: int) -> Cell:
    if comparison is None:
        return number(None, digits)
    return Cell(value=comparison.difference, shown=rounded(comparison.difference, digits, "+"))


def _chance(p: float | None) -> Cell:
    """A p value; below what four decimals show, that it is below."""
    return Cell(value=p, shown="< 0.0001") if p is not None and p < 1e-4 else number(p, 4)


def runs(records: Sequence[Record]) -> Grid:
    """A row per run: what it was, how it ended, where and when."""
    header = [("variant", ""), ("scale", ""), ("seed", ""), ("status", ""), ("iterations", ""), ("training", "s")]
    header += [("images/s", ""), ("recipe", ""), ("machine", ""), ("commit", ""), ("date", "UTC")]
    body = [
        [
            words(record.variant), number(record.scale, 0), number(record.seed, 0), words(record.status, _why(record)),
            number(record.iterations, 0), number(record.train_seconds, 1), number(record.images_per_second, 1),
            words(record.recipe.get("name", "?")), words(hardware(record)), words(short_commit(record.commit)),
            words(record.date[:16].replace("T", " ")),
        ]
        for record in records
    ]  # fmt: skip
    return Grid(caption="Every run", header=header, rows=body)


def _why(record: Record) -> str:
    """Why a run did not finish as it should."""
    collapse = record.collapse or {}
    return f"at iteration {collapse.get('iteration', '?')}: {collapse.get('reason', '?')}" if collapse else record.error


def uncounted(rows: Sequence[Measured]) -> Grid:
    """Exact counts, and the operators that fvcore saw and could not count."""
    header = [("variant", ""), ("params", ""), ("FLOPs (MACs)", ""), ("activations", ""), ("seen and not counted", "")]
    body = []
    for record in {row.name: row.records[0] for row in rows}.values():
        operators = ", ".join(f"{name} {calls}x" for name, calls in record.uncounted_ops.items()) or "none"
        costs = [Cell(value=cost, shown=f"{cost:,}") for cost in (record.params, record.flops, record.acts)]
        body.append([words(record.variant), *costs, words(operators)])
    return Grid(caption="Counted by fvcore, exactly", header=header, rows=body)


def csv_grid(caption: str, rows: Sequence[dict[str, str]]) -> Grid:
    """A profile's CSV as it is; cells that are numbers sort as numbers."""
    columns = list(rows[0])
    return Grid(
        caption=printable(caption),
        header=[(printable(column.replace("_", " ")), "") for column in columns],
        rows=[[_csv_cell(row.get(column) or "") for column in columns] for row in rows],
    )


def _csv_cell(text: str) -> Cell:
    try:
        return Cell(value=float(text), shown=printable(text))
    except ValueError:
        return words(text) if text else number(None, 0)


def facts(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping of a record as (dotted key, text), for a list of facts."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            pairs += facts(value, f"{prefix}{key}.")
        else:
            pairs.append((printable(f"{prefix}{key}"), printable(str(value))))
    return pairs
