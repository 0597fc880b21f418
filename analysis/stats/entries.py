"""Measured rows before they meet the paper's: from run records, and from scores and counts without a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.stats.caveats import BELOW, below_bicubic
from safmn_bench.analysis.stats.contents import contents_part
from safmn_bench.analysis.stats.groups import Measured, budget_of, datasets_of, metrics_of
from safmn_bench.analysis.stats.profiles import Profiles, Rows, file_name, number
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import network_key

Value = str | float | int | None
COSTS = ("params", "flops", "acts")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a trained network beside its scores: a field of Tables 1, 3 and 4; with a title, a column too."""

    of: Callable[[Measured], Value]
    title: str = ""
    unit: str = ""
    """As the header shows it, such as [K]."""
    digits: int = 0
    divisor: float = 1.0
    """The divisor of a number before it is shown; CSV files hold it whole."""


FIGURES = {
    "params": Figure(of=lambda row: row.records[0].params, title="params", unit="[K]", digits=2, divisor=1e3),
    "flops": Figure(of=lambda row: row.records[0].flops, title="FLOPs (MACs)", unit="[G]", digits=2, divisor=1e9),
    "acts": Figure(of=lambda row: row.records[0].acts, title="acts", unit="[M]", digits=2, divisor=1e6),
    "runs": Figure(of=lambda row: len(row.records), title="runs"),
    "collapsed_runs": Figure(of=lambda row: row.collapsed),
}
"""Field -> figure, in the order of the columns."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One measured row: what it costs and where it is from (`values`), and its scores by dataset, both by field."""

    key: str
    """The name by which a row of the paper is matched: see `names.network_key`."""
    label: str
    scale: int
    main: bool = True
    """Whether it fills the paper's row; others stand below it."""
    collapsed: bool = False
    compares: str = ""
    """Its scores compare with those of entries that share this: one training and its images, or one convention."""
    values: dict[str, Value] = field(default_factory=dict)
    scores: dict[str, dict[str, Value]] = field(default_factory=dict)


def entries_from(measured: Sequence[Measured], profiles: Profiles) -> list[Entry]:
    """All entries: runs, plain bicubic on their images, scored weights, and counts where there is nothing else."""
    main = main_setting(measured)
    entries = [_of_runs(network, label, main=network.setting == main) for label, network in labelled(measured)]
    entries += _of_bicubic(measured) + _of_scores(profiles.scores)
    present = {(entry.key, entry.scale) for entry in entries}
    for row in profiles.complexity:
        where = network_key(row["model"]), int(row["scale"])
        costs: dict[str, Value] = {cost: int(row[cost]) if row[cost].isdigit() else None for cost in COSTS}
        if where in present:
            for entry in entries:
                if (entry.key, entry.scale) == where:
                    entry.values.update({cost: entry.values.get(cost) or value for cost, value in costs.items()})
        else:
            entries.append(Entry(key=where[0], label=row["model"], scale=where[1], values=costs))
    return entries


def with_times(entries: Sequence[Entry], profiles: Profiles) -> list[str]:
    """Give entries the median times of latency.py's rows, as `<form>_ms`; returns the forms, in the order met.

    Raises UserError where a network was timed twice in one form: then they were not timed together.
    """
    times: dict[tuple[str, int, str], str] = {}
    for row in profiles.latency:
        form = row.get("implementation") or "eager"
        form = form if row.get("dtype", "fp32") == "fp32" else f"{form} {row['dtype']}"
        key = (network_key(row["model"]), int(row["scale"]), form)
        if key in times:
            raise UserError(
                f"{row['model']} x{row['scale']} was timed twice as {form}: {times[key]} ms and {row['median_ms']} ms. "
                "Give the --profiles of one call of latency.py, whose times compare."
            )
        if row["median_ms"]:
            times[key] = row["median_ms"]
    for entry in entries:
        own = {form: text for (name, scale, form), text in times.items() if (name, scale) == (entry.key, entry.scale)}
        entry.values.update({f"{form}_ms": number(text) for form, text in own.items()})
    return list(dict.fromkeys(form for _, _, form in times))


def labelled(measured: Sequence[Measured]) -> list[tuple[str, Measured]]:
    """Each with a name of its own: a network outside the main setting is told by its budget, or by a number."""
    main = main_setting(measured)
    named: list[tuple[str, Measured]] = []
    for network in measured:
        name = network.name if network.setting == main else f"{network.name} ({budget_of(network.records[0])})"
        again = sum(other == name or other.startswith(f"{name} #") for other, _ in named)
        named.append((f"{name} #{again + 1}" if again else name, network))
    return named


def main_setting(measured: Sequence[Measured]) -> str:
    """The setting of most runs; the first met of several."""
    runs: dict[str, int] = {}
    for network in measured:
        runs[network.setting] = runs.get(network.setting, 0) + len(network.records)
    return max(runs, key=lambda setting: runs[setting]) if runs else ""


def _of_runs(network: Measured, label: str, *, main: bool) -> Entry:
    values: dict[str, Value] = {field: figure.of(network) for field, figure in FIGURES.items()}
    values["setting"] = network.setting
    scores = {dataset: _scores(network, dataset) for dataset in datasets_of([network])}
    if network.tuned is not None:
        values["tuned_rate"] = network.rate
        for dataset, fields in scores.items():
            fields.update({f"tuned_{field}": value for field, value in _scores(network.tuned, dataset).items()})
    return Entry(
        key=network_key(network.name), label=label, scale=network.scale, main=main, collapsed=network.collapsed > 0,
        compares=f"trained: {network.setting}", values=values, scores=scores,
    )  # fmt: skip


def _scores(network: Measured, dataset: str) -> dict[str, Value]:
    """Every metric on one dataset: mean and interval over seeds, and the comparison with the baseline."""
    values: dict[str, Value] = {}
    for metric in metrics_of([network]):
        if score := network.score(dataset, metric.name):
            values |= {
                metric.field: score.mean,
                f"{metric.field}_ci95": score.half_width,
                f"{metric.field}_sd": score.sd,
            }
            if metric.name == HEADLINE and below_bicubic(network, dataset):
                values[f"{metric.field}_below"] = BELOW
        if against := network.comparisons.get((dataset, metric.name)):
            delta = f"{metric.field}_delta"
            values |= {delta: against.difference, f"{delta}_ci95": against.half_width, f"{delta}_p": against.p}
            values |= {f"{delta}_p_holm": against.p_holm, f"{delta}_verdict": against.verdict}
            values |= {f"{delta}_detectable": against.detectable, f"{delta}_told": against.told(metric.digits.table)}
    return values


def _of_bicubic(measured: Sequence[Measured]) -> list[Entry]:
    """Plain bicubic, which every run scores on its benchmarks: one entry for all, by scale."""
    entries: dict[int, Entry] = {}
    main = main_setting(measured)
    images = {network.setting for network in measured if contents_part(network.setting) != contents_part(main)}
    for record in (record for network in measured if network.setting not in images for record in network.records):
        entry = entries.setdefault(
            record.scale, Entry(key="bicubic", label="bicubic", scale=record.scale, compares="bicubic")
        )
        for dataset, scores in record.bicubic.items():
            entry.scores[dataset] = _by_field(scores)
    return list(entries.values())


def _of_scores(rows: Rows) -> list[Entry]:
    """One entry per model, scale, weight file and conventions of evaluate.py's CSV.

    Scores by other conventions than the usual ones never fill a row of the paper: they stand below it, and say so.
    """
    entries: dict[tuple[str, ...], Entry] = {}
    for row in rows:
        weights, conventions = file_name(row["weights"]), row.get("conventions") or ""
        told = ", ".join(part for part in (weights, conventions) if part)
        blank = Entry(
            key=network_key(row["model"]), label=f"{row['model']} ({told})" if told else row["model"],
            scale=int(row["scale"]), main=not conventions, compares=f"scored: {conventions}", values={"setting": told},
        )  # fmt: skip
        entry = entries.setdefault((row["model"], row["scale"], row["weights"], conventions), blank)
        entry.scores[row["dataset"]] = _by_field({name: number(text) for name, text in row.items() if name in METRICS})
    return list(entries.values())


def _by_field(scores: Mapping[str, Value]) -> dict[str, Value]:
    """Mean scores by metric under the fields of tables."""
    return {METRICS[name].field: scores[name] for name in scores if name in METRICS}
