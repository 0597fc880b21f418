"""Tables 1, 3, 4 and 6: the paper's rows in its order, each with what was measured beside it; other networks below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safmn_bench.ablations.metrics import HEADLINE, METRICS, Metric, metrics_in
from safmn_bench.analysis.stats.contents import contents_part
from safmn_bench.analysis.stats.entries import COSTS, FIGURES, Entry, Value
from safmn_bench.analysis.tabular.table import MEASURED, PUBLISHED, Column, Piece, Row, Table
from safmn_bench.models.errors import normalised
from safmn_bench.models.names import network_key
from safmn_bench.profiling.common.paper import read_table

PAPER_COSTS = {"params": "params_k", "flops": "flops_g", "acts": "acts_m"}
UNITS = {cost: FIGURES[cost].divisor for cost in COSTS}
_STANDARD = metrics_in([])
_SCORE_UNIT = " / ".join(metric.heading(metric.title) for metric in _STANDARD)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The differences between these tables."""

    title: str
    names: Mapping[str, str]
    """Columns that name a row: field -> title."""
    key: str
    """Which of them is matched with measurements."""
    section: str
    """Which of them groups the rows; nothing for a table in one piece."""
    datasets: Sequence[str]
    """Benchmarks with published scores."""


NETWORK_TABLES = (1, 6)
"""At all scales, a row per network; the others have variants, at scale 4."""
LAYOUTS = {
    1: Layout(
        title="Efficient networks on common benchmarks: published, and measured here.",
        names={"scale": "scale", "method": "method"},
        key="method",
        section="scale",
        datasets=("Set5", "Set14", "B100", "Urban100", "Manga109"),
    ),
    3: Layout(
        title="Ablations of SAFMN: published, and measured here.",
        names={"group": "part", "paper_label": "ablation", "variant": "variant"},
        key="variant",
        section="group",
        datasets=("DIV2K_val", "Manga109"),
    ),
    4: Layout(
        title="Number of feature mixing modules: published, and measured here.",
        names={"n_blocks": "blocks", "variant": "variant"},
        key="variant",
        section="",
        datasets=("DIV2K_val", "Manga109"),
    ),
    6: Layout(
        title="Rivals of today: counted, scored from published weights and timed here; published costs beside.",
        names={"scale": "scale", "method": "method"},
        key="method",
        section="scale",
        datasets=(),
    ),
}


def build(
    number: int,
    entries: Sequence[Entry],
    scale: int | None = None,
    notes: Sequence[str] = (),
    times: Sequence[str] = (),
) -> Table:
    """Table 1, 3, 4 or 6 with the measurements that belong to it; without a scale all that it has (1, 6: three).

    The paper has Tables 3 and 4 at scale 4: at another one, their published figures are dashes. `times`: the forms
    that entries have a time of (`<form>_ms`), a column each.
    """
    layout = LAYOUTS[number]
    rows: list[Row] = []
    for at in [scale] if scale else [2, 3, 4] if number in NETWORK_TABLES else [4]:
        rows += _rows(layout, _published(number, at), [entry for entry in entries if entry.scale == at], at)
    shown = [entry for entry in entries if scale in (None, entry.scale)]
    measured, metrics = _datasets(layout, shown), _metrics(shown)
    return Table(
        heading=f"Table {number}.",
        title=layout.title,
        fields=_fields(layout, measured, metrics, times, tuned=_tuned(shown)),
        columns=_columns(layout, measured, metrics, shown, times),
        rows=rows,
        notes=notes,
    )


def _published(number: int, scale: int) -> list[dict[str, str]]:
    """The paper's rows at a scale; only their names where it has none at that scale."""
    rows = read_table(f"table{number}.csv")
    if "scale" in rows[0]:
        return [row for row in rows if row["scale"] == str(scale)]
    names = LAYOUTS[number].names
    return [{key: text for key, text in row.items() if scale == 4 or key in names} for row in rows]


def _rows(layout: Layout, published: Sequence[Mapping[str, str]], entries: Sequence[Entry], scale: int) -> list[Row]:
    """Rows at one scale: each published one, below it further measurements of it, at the end other networks."""
    rows: list[Row] = []
    for paper in published:
        own = [entry for entry in entries if entry.key == network_key(paper[layout.key])]
        first = next((entry for entry in own if entry.main), None)
        rows.append(_paper_row(layout, paper, first))
        rows += [_extra_row(layout, entry, rows[-1].section) for entry in own if entry is not first]
    known = {network_key(paper[layout.key]) for paper in published}
    section = str(scale) if layout.section == "scale" else "other"
    return rows + [_extra_row(layout, entry, section) for entry in entries if entry.key not in known]


def _paper_row(layout: Layout, paper: Mapping[str, str], entry: Entry | None) -> Row:
    figures = {f"paper_{key}": text or None for key, text in paper.items() if key not in layout.names}
    names = {key: paper[key].removesuffix(" *") for key in layout.names}
    collapsed = {PUBLISHED} if paper.get("collapsed") == "yes" else set()
    if entry is not None and entry.collapsed:
        collapsed.add(MEASURED)
    values: dict[str, Value] = {**names, **figures, **(_values(layout, entry) if entry else {})}
    return Row(
        values=values,
        section=paper.get(layout.section, ""),
        ranked_with=paper.get("scale", ""),
        setting=entry.compares if entry else "",
        collapsed=frozenset(collapsed),
    )


def _extra_row(layout: Layout, entry: Entry, section: str) -> Row:
    names: dict[str, Value] = {layout.key: entry.label}
    if layout.section == "scale":
        names["scale"] = str(entry.scale)
    collapsed = frozenset([MEASURED] if entry.collapsed else [])
    return Row(
        values=names | _values(layout, entry),
        section=section if layout.section else "",
        ranked_with=str(names.get("scale", "")) + contents_part(str(entry.values.get("setting", ""))),
        setting=entry.compares,
        collapsed=collapsed,
    )


def _values(layout: Layout, entry: Entry) -> dict[str, Value]:
    """An entry's values under the fields of the measured band."""
    values = {f"measured_{key}": value for key, value in entry.values.items()}
    for dataset, scores in entry.scores.items():
        values |= {f"measured_{_spelled(layout, dataset)}_{key}": value for key, value in scores.items()}
    return values


def _spelled(layout: Layout, dataset: str) -> str:
    """A dataset's name, as the paper spells it where it has it: a folder may be called div2k-val."""
    return next((known for known in layout.datasets if normalised(known) == normalised(dataset)), dataset)


def _datasets(layout: Layout, entries: Sequence[Entry]) -> list[str]:
    """The paper's datasets, then all others that something was scored on."""
    others = (_spelled(layout, dataset) for entry in entries for dataset in entry.scores)
    return list(dict.fromkeys([*layout.datasets, *others]))


def _metrics(entries: Sequence[Entry]) -> list[Metric]:  # the standard ones, and those that something was scored by
    fields = {field for entry in entries for scores in entry.scores.values() for field in scores}
    return metrics_in(metric.name for metric in METRICS.values() if metric.field in fields)


_STATISTICS = (
    "",
    "_ci95",
    "_sd",
    "_delta",
    "_delta_ci95",
    "_delta_p",
    "_delta_p_holm",
    "_delta_verdict",
    "_delta_detectable",
)


def _tuned(entries: Sequence[Entry]) -> bool:  # at a learning rate of its own
    return any("tuned_rate" in entry.values for entry in entries)


def _fields(
    layout: Layout, measured: Sequence[str], metrics: Sequence[Metric], times: Sequence[str], *, tuned: bool
) -> list[str]:
    paper = [
        *PAPER_COSTS.values(),
        *(f"{dataset}_{metric.published}" for dataset in layout.datasets for metric in _published_metrics()),
    ]
    ours = list(FIGURES)
    ours += [f"{form}_ms" for form in times]
    ours += [f"{dataset}_{metric.field}{end}" for dataset in measured for metric in metrics for end in _STATISTICS]
    if tuned:
        ours += ["tuned_rate"]
        ours += [f"{d}_tuned_{metric.field}{end}" for d in measured for metric in metrics for end in _STATISTICS]
    starred = ["collapsed"] if layout.section == "group" else []
    return [*layout.names, *(f"paper_{f}" for f in [*paper, *starred]), *(f"measured_{f}" for f in [*ours, "setting"])]


def _published_metrics() -> list[Metric]:
    return [metric for metric in METRICS.values() if metric.published]


def _columns(
    layout: Layout,
    measured: Sequence[str],
    metrics: Sequence[Metric],
    entries: Sequence[Entry],
    times: Sequence[str],
) -> list[Column]:
    columns = [
        Column(title=title, pieces=[Piece(key=key)], once=key == layout.section) for key, title in layout.names.items()
    ]
    for cost, key in PAPER_COSTS.items():
        title, unit = FIGURES[cost].title, FIGURES[cost].unit
        columns.append(Column(title=title, unit=unit, pieces=[Piece(key=f"paper_{key}", figure=cost)], band=PUBLISHED))
    for dataset in layout.datasets:
        pieces = [
            Piece(
                key=f"paper_{dataset}_{metric.published}",
                before=" / " if index else "",
                better=metric.better,
                figure=metric.published,
                heading=metric.heading(metric.title),
            )
            for index, metric in enumerate(_published_metrics())
        ]
        columns.append(
            Column(title=dataset, unit=_SCORE_UNIT, pieces=pieces, band=PUBLISHED, starred=True, benchmark=dataset)
        )
    for field, figure in ((field, figure) for field, figure in FIGURES.items() if figure.title):
        piece = Piece(key=f"measured_{field}", digits=figure.digits, unit=figure.divisor, figure=field)
        columns.append(Column(title=figure.title, unit=figure.unit, pieces=[piece], band=MEASURED))
    for form in times:
        piece = Piece(key=f"measured_{form}_ms", digits=1, better=-1, figure="time")
        columns.append(Column(title=f"time, {form}", unit="[ms]", pieces=[piece], band=MEASURED))
    for dataset in measured:
        columns += _measured_columns(layout, dataset, metrics, entries)
    if _tuned(entries):
        pieces = [Piece(key="measured_tuned_rate", digits=2, figure="rate")]
        columns.append(Column(title="own learning rate", unit="[x recipe's]", pieces=pieces, band=MEASURED))
        columns += [_delta_column(f"measured_{dataset}_tuned", dataset, " at own rates") for dataset in measured]
    return columns


def _measured_columns(
    layout: Layout, dataset: str, metrics: Sequence[Metric], entries: Sequence[Entry]
) -> list[Column]:
    """Mean scores, the headline's with its interval and, where there is a baseline, its difference from it.

    Metrics that the paper has not have a column each.
    """
    field, headline = f"measured_{dataset}", METRICS[HEADLINE]
    pieces: list[Piece] = []
    for metric in _STANDARD:
        pieces += _mean(field, metric, " / " if pieces else "", interval=metric is headline)
    pieces.append(Piece(key=f"{field}_{headline.field}_below"))
    columns = [_score_column(dataset, _SCORE_UNIT, pieces, MEASURED)]
    if any(f"{headline.field}_delta" in scores for entry in entries for d, scores in entry.scores.items()
           if _spelled(layout, d) == dataset):  # fmt: skip
        columns.append(_delta_column(field, dataset))
    for metric in (metric for metric in metrics if not metric.standard):
        pieces, unit = _mean(field, metric, "", interval=True), metric.heading(metric.title)
        columns.append(_score_column(dataset, unit, pieces, MEASURED))
    return columns


def _score_column(dataset: str, unit: str, pieces: Sequence[Piece], band: str) -> Column:
    return Column(title=dataset, unit=unit, pieces=pieces, band=band, starred=True, benchmark=dataset)


def _delta_column(field: str, dataset: str, what: str = "") -> Column:
    """The headline's difference from the baseline, with its interval and verdict."""
    headline = METRICS[HEADLINE]
    delta, digits = f"{field}_{headline.field}_delta", headline.digits.table
    pieces = [
        Piece(key=delta, digits=digits, signed=True, figure="delta"),
        Piece(key=f"{delta}_ci95", before=" ± ", digits=digits),
    ]
    pieces.append(Piece(key=f"{delta}_told", before=" "))
    unit = f"Δ {headline.heading(headline.title)}{what}"
    return Column(title=dataset, unit=unit, pieces=pieces, band=MEASURED, benchmark=dataset)


def _mean(field: str, metric: Metric, before: str, *, interval: bool) -> list[Piece]:
    """A mean score, and half its 95 % interval."""
    key, digits = f"{field}_{metric.field}", metric.digits.table
    mean = Piece(
        key=key, before=before, digits=digits, better=metric.better, by_setting=True,
        figure=metric.published or metric.name, heading=metric.heading(metric.title),
    )  # fmt: skip
    return [mean, Piece(key=f"{key}_ci95", before=" ± ", digits=digits)] if interval else [mean]
