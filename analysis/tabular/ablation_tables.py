"""Tables 1, 3 and 4: the paper's rows in its order, each with what was measured beside it; other networks below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safmn_bench.analysis.stats.entries import COSTS, SHORT, Entry, Value, key_of
from safmn_bench.analysis.tabular.table import MEASURED, PUBLISHED, Column, Piece, Row, Table
from safmn_bench.models.errors import normalised
from safmn_bench.profiling.common.paper import read_table

PAPER_COSTS = {"params": "params_k", "flops": "flops_g", "acts": "acts_m"}
UNITS = {"params": 1e3, "flops": 1e9, "acts": 1e6}
_COST_TITLES = {"params": ("params", "[K]"), "flops": ("FLOPs (MACs)", "[G]"), "acts": ("acts", "[M]")}
_SCORE_UNIT = "PSNR [dB] / SSIM"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What tells Tables 1, 3 and 4 apart."""

    title: str
    names: Mapping[str, str]
    """Columns that name a row: field -> title."""
    key: str
    """Which of them is matched with measurements."""
    section: str
    """Which of them groups the rows; nothing for a table in one piece."""
    datasets: Sequence[str]


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
}


def build(number: int, entries: Sequence[Entry], scale: int | None = None, notes: Sequence[str] = ()) -> Table:
    """Table 1, 3 or 4 with the measurements that belong to it; without a scale those of the paper (1: all three).

    The paper has Tables 3 and 4 at scale 4: at another one, their published figures are dashes.
    """
    layout = LAYOUTS[number]
    rows: list[Row] = []
    for at in [scale] if scale else [2, 3, 4] if number == 1 else [4]:
        rows += _rows(layout, _published(number, at), [entry for entry in entries if entry.scale == at], at)
    shown = [entry for entry in entries if scale in (None, entry.scale)]
    measured = _datasets(layout, shown)
    return Table(
        number=number,
        title=layout.title,
        fields=_fields(layout, measured),
        columns=_columns(layout, measured, shown),
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
        own = [entry for entry in entries if entry.key == key_of(paper[layout.key])]
        first = next((entry for entry in own if entry.main), None)
        rows.append(_paper_row(layout, paper, first))
        rows += [_extra_row(layout, entry, rows[-1].section) for entry in own if entry is not first]
    known = {key_of(paper[layout.key]) for paper in published}
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
        ranked_with=str(names.get("scale", "")),
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


_STATISTICS = ("", "_ci95", "_delta", "_delta_ci95", "_delta_p", "_delta_p_holm", "_delta_verdict")


def _fields(layout: Layout, measured: Sequence[str]) -> list[str]:
    paper = [
        *PAPER_COSTS.values(),
        *(f"{dataset}_{metric}" for dataset in layout.datasets for metric in _PAPER_METRICS),
    ]
    ours = [*COSTS, "runs", "collapsed_runs"]
    ours += [f"{dataset}_{short}{end}" for dataset in measured for short in SHORT.values() for end in _STATISTICS]
    starred = ["collapsed"] if layout.section == "group" else []
    return [*layout.names, *(f"paper_{f}" for f in [*paper, *starred]), *(f"measured_{f}" for f in [*ours, "setting"])]


_PAPER_METRICS = ("psnr", "ssim")


def _columns(layout: Layout, measured: Sequence[str], entries: Sequence[Entry]) -> list[Column]:
    columns = [
        Column(title=title, pieces=[Piece(key=key)], once=key == layout.section) for key, title in layout.names.items()
    ]
    for cost, key in PAPER_COSTS.items():
        title, unit = _COST_TITLES[cost]
        columns.append(Column(title=title, unit=unit, pieces=[Piece(key=f"paper_{key}")], band=PUBLISHED))
    for dataset in layout.datasets:
        psnr, ssim = (f"paper_{dataset}_{metric}" for metric in _PAPER_METRICS)
        pieces = [Piece(key=psnr, better=1), Piece(key=ssim, before=" / ", better=1)]
        columns.append(Column(title=dataset, unit=_SCORE_UNIT, pieces=pieces, band=PUBLISHED, starred=True))
    for cost in COSTS:
        piece = Piece(key=f"measured_{cost}", digits=2, unit=UNITS[cost])
        title, unit = _COST_TITLES[cost]
        columns.append(Column(title=title, unit=unit, pieces=[piece], band=MEASURED))
    columns.append(Column(title="runs", pieces=[Piece(key="measured_runs", digits=0)], band=MEASURED))
    for dataset in measured:
        columns += _measured_columns(layout, dataset, entries)
    return columns


def _measured_columns(layout: Layout, dataset: str, entries: Sequence[Entry]) -> list[Column]:
    """Mean scores with the interval of the PSNR, and where there is a baseline, the difference from it."""
    field = f"measured_{dataset}"
    pieces = [
        Piece(key=f"{field}_psnr_db", digits=3, better=1),
        Piece(key=f"{field}_psnr_db_ci95", before=" ± ", digits=3),
        Piece(key=f"{field}_ssim", before=" / ", digits=4, better=1),
    ]
    columns = [Column(title=dataset, unit=_SCORE_UNIT, pieces=pieces, band=MEASURED, starred=True)]
    if any("psnr_db_delta" in scores for entry in entries for d, scores in entry.scores.items()
           if _spelled(layout, d) == dataset):  # fmt: skip
        delta = f"{field}_psnr_db_delta"
        pieces = [Piece(key=delta, digits=3, signed=True), Piece(key=f"{delta}_ci95", before=" ± ", digits=3)]
        pieces.append(Piece(key=f"{delta}_verdict", before=" "))
        columns.append(Column(title=dataset, unit="Δ PSNR [dB]", pieces=pieces, band=MEASURED))
    return columns
