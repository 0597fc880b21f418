"""The report's page: records, profiles and pictures become one view, and the view one file of HTML.

Everything is inside the file: styles, one script (the page's policy allows that very script and nothing else), charts
as SVG, pictures as data unless they are kept beside it. Every text is escaped by the templates.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.plots.loss_curves import Curve, read_curve
from safmn_bench.analysis.stats.caveats import caveat_notes
from safmn_bench.analysis.stats.groups import Measured, datasets_of, measure
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.stats.provenance import collapse_notes, provenance_notes
from safmn_bench.analysis.webpage import charts as report_charts
from safmn_bench.analysis.webpage import rows as report_rows
from safmn_bench.analysis.webpage.looked_into import LookedInto
from safmn_bench.analysis.webpage.pictures import Comparison, LamPanels
from safmn_bench.analysis.webpage.rows import Grid
from safmn_bench.models.errors import UserError, printable
from safmn_bench.models.keeping import package_folder
from safmn_bench.models.variants import paper_order

MOST_BYTES = 10 * 10**6
Runs = Sequence[tuple[RunFolder, Record]]


@dataclass(frozen=True, kw_only=True)
class Deltas:
    """The comparison with the baseline on one benchmark."""

    grid: Grid
    chart: Markup


@dataclass(frozen=True, kw_only=True)
class ScaleView:
    """Everything measured at one scale."""

    scale: int
    overview: Grid
    settings: dict[str, str]
    """Setting -> letter."""
    deltas: Sequence[Deltas]
    losses: Markup | None
    tradeoff: Markup | None
    costs: Grid
    notes: Sequence[str]
    comparisons: Sequence[Comparison] = ()
    lam: LamPanels | None = None
    inside: LookedInto | None = None
    left_out: Sequence[str] = ()
    """Pictures and figures that cannot be shown, and why."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that the template shows."""

    title: str
    lead: str
    scales: Sequence[ScaleView]
    runs: Grid
    profiles: Sequence[Grid]
    recipes: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    """Title, and (key, value) of each different recipe."""
    machines: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    made: str
    """When, by which commit, with which command."""
    beside: bool = False
    """Whether pictures lie beside the page."""


@dataclass
class Pictures:
    """Pictures of one scale."""

    comparisons: list[Comparison] = field(default_factory=list)
    lam: LamPanels | None = None
    inside: LookedInto | None = None
    left_out: list[str] = field(default_factory=list)


def scale_view(
    runs: Runs, scale: int, pictures: Pictures, unfinished: Sequence[Record] = (), tuned: Sequence[Record] = ()
) -> ScaleView:
    """All about the runs of one scale; `unfinished`: those without a result, `tuned`: at their own learning rates."""
    here = [(folder, record) for folder, record in runs if record.scale == scale]
    here.sort(key=lambda run: paper_order(run[1].variant))
    rows = measure([record for _, record in here], scale, unfinished=unfinished, tuned=tuned)
    rows.sort(key=lambda row: paper_order(row.name))
    curves, missing = _curves(here)
    return ScaleView(
        scale=scale,
        overview=report_rows.overview(rows, scale),
        settings={printable(words): letter for words, letter in report_rows.settings_of(rows).items()},
        deltas=_deltas(rows, scale),
        losses=_losses(curves, scale),
        tradeoff=_tradeoff(rows, scale),
        costs=report_rows.uncounted(rows),
        notes=[printable(note) for note in [*provenance_notes(rows), *caveat_notes(rows), *collapse_notes(rows)]],
        comparisons=pictures.comparisons,
        lam=pictures.lam,
        inside=pictures.inside,
        left_out=[*missing, *pictures.left_out],
    )


def _deltas(rows: Sequence[Measured], scale: int) -> list[Deltas]:
    shown = []
    for index, dataset in enumerate(datasets_of(rows)):
        grid = report_rows.deltas(rows, dataset)
        if grid is not None:
            shown.append(Deltas(grid=grid, chart=report_charts.delta_chart(rows, dataset, f"delta{scale}-{index}")))
    return shown


def _curves(runs: Runs) -> tuple[dict[str, list[Curve]], list[str]]:
    """Loss curves by network, and which runs have none that can be drawn."""
    curves: dict[str, list[Curve]] = {}
    missing = []
    for folder, record in runs:
        name = printable(record.variant)
        try:
            curve = read_curve(folder, record)
        except UserError as error:
            missing.append(f"No loss curve of {name} seed {record.seed}: {printable(str(error))}")
            continue
        if np.isfinite(curve.loss).any():
            curves.setdefault(name, []).append(curve)
        else:
            missing.append(f"No loss curve of {name} seed {record.seed}: no loss is finite.")
    return curves, missing


def _losses(curves: dict[str, list[Curve]], scale: int) -> Markup | None:
    """One chart of all networks, with a panel for each where they are too many for one; None without a curve."""
    if not curves:
        return None
    longest = max(curve.iterations[-1] for group in curves.values() for curve in group)
    return report_charts.loss_chart(curves, max(1, round(longest / 20)), f"loss{scale}")


def _tradeoff(rows: Sequence[Measured], scale: int) -> Markup | None:
    dataset = next(iter(datasets_of(rows)), None)
    points = report_charts.measured_points(rows, dataset) if dataset else []
    if dataset is None or not points:
        return None
    return report_charts.tradeoff_chart(points, "flops", dataset, f"tradeoff{scale}")


def profile_grids(profiles: Profiles) -> list[Grid]:
    """Latency, memory, operators, scores and counts that were measured without a run."""
    sources = [("Time and memory per image", profiles.latency), ("Scores of weight files", profiles.scores)]
    sources += [("Counts", profiles.complexity)]
    sources += [(f"Operators: {name}", rows) for name, rows in profiles.operators.items()]
    return [report_rows.csv_grid(title, rows) for title, rows in sources if rows]


def distinct(records: Sequence[Record], part: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each different `recipe`, or `machine` with its library versions, and which variants have it."""
    groups: dict[tuple[tuple[str, str], ...], dict[str, None]] = {}
    for record in records:
        values = {**record.machine, **record.versions} if part == "machine" else dict(record.recipe)
        groups.setdefault(tuple(report_rows.facts(values)), {})[printable(record.variant)] = None
    return [(f"Of {', '.join(names)}", list(values)) for values, names in groups.items()]


def render(view: View) -> str:
    """The page. Raises UserError where it is larger than MOST_BYTES."""
    environment = Environment(
        loader=FunctionLoader(template), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["breakable"] = breakable
    script, styles = template("report.js"), template("report.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template("report.html.j2").render(
        view=view, script=Markup(script), styles=Markup(styles), script_hash=digest
    )  # fmt: skip
    if (size := len(page.encode("utf-8", "backslashreplace"))) > MOST_BYTES:
        raise UserError(
            f"The report would take {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}. Keep pictures out of it "
            "(--pictures beside), give fewer --images, or fewer runs by a --runs folder with a part of them."
        )
    return page


def breakable(name: str) -> Markup:
    """A name that may go on in a new line behind each `_`, `-` and `/`; copied, it is the same."""
    return Markup(re.sub(r"(?<=[_/-])(?=[^_/-])", "<wbr>", str(escape(name))))


def template(name: str) -> str:
    """The text of a file of templates/."""
    return (package_folder("safmn_bench.analysis") / "templates" / name).read_text(encoding="utf-8")
