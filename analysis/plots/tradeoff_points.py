"""The points of Figure 1: what a network costs against how well it does; published, measured, or of both kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.plots.options import AXES
from safmn_bench.analysis.stats.entries import Entry
from safmn_bench.analysis.stats.profiles import Profiles, number
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.errors import UserError, match_name, normalised
from safmn_bench.models.names import network_key
from safmn_bench.profiling.common.paper import read_table

PUBLISHED, MEASURED, MIXED = "published", "measured here", "time measured here, PSNR published"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One network: `cost` in G (FLOPs) or ms (latency)."""

    label: str
    cost: float
    score: float
    """The headline metric's, higher for a better network."""
    params_k: float
    source: str
    """PUBLISHED, MEASURED or MIXED."""


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Points that no other one beats in cost and PSNR both, by rising cost."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.score)):
        if not front or point.score > front[-1].score:
            front.append(point)
    return front


def tradeoff_points(
    axis: str, entries: Sequence[Entry], profiles: Profiles, *, scale: int, dataset: str
) -> list[Point]:
    """All points that the data give, published first. Raises UserError where there is none."""
    published = _published(scale, dataset)
    points = _published_points(axis, published, scale)
    measured = [entry for entry in entries if entry.scale == scale and _psnr(entry, dataset) is not None]
    points += (
        _measured_flops(measured, dataset) if axis == "flops" else _timed(measured, published, profiles, scale, dataset)
    )
    if not points:
        raise UserError(
            f"Nothing to draw: no network has both {AXES[axis]} and a PSNR on {dataset} at scale {scale}. Give --runs, "
            "or --profiles with the CSV of complexity.py or latency.py and evaluate.py."
        )
    return points


def _published(scale: int, dataset: str) -> dict[str, dict[str, str]]:
    """Rows of Table 1 at a scale that have a PSNR on the dataset, by key; its column is renamed `psnr`."""
    columns = {normalised(c.removesuffix("_psnr")): c for c in read_table("table1.csv")[0] if c.endswith("_psnr")}
    column = columns.get(normalised(dataset), "")
    rows = [row for row in read_table("table1.csv") if row["scale"] == str(scale) and row.get(column)]
    return {network_key(row["method"]): {**row, "psnr": row[column]} for row in rows}


def _published_points(axis: str, published: Mapping[str, Mapping[str, str]], scale: int) -> list[Point]:
    if axis == "flops":
        costs = {key: row["flops_g"] for key, row in published.items()}
    else:
        costs = {network_key(row["method"]): row["avg_time_ms"] for row in read_table("table2.csv") if scale == 4}
    return [
        _point(row["method"], costs[key], row["psnr"], row["params_k"], PUBLISHED)
        for key, row in published.items()
        if costs.get(key) and row["params_k"]
    ]


def _point(label: str, cost: object, psnr: object, params_k: object, source: str) -> Point:
    figures = [float(str(value)) for value in (cost, psnr, params_k)]
    return Point(label=label, cost=figures[0], score=figures[1], params_k=figures[2], source=source)


def _psnr(entry: Entry, dataset: str) -> float | None:
    for name, scores in entry.scores.items():
        if normalised(name) == normalised(dataset):
            return number(str(scores.get(METRICS[HEADLINE].field)))
    return None


def _title(entry: Entry, entries: Sequence[Entry]) -> str:
    """A network's displayed name where it is there once; else with what tells it from the others."""
    names = {network_key(name): model.label for name, model in MODELS.items()}
    alone = sum(other.key == entry.key for other in entries) == 1 and "runs" not in entry.values
    return names.get(entry.key, entry.label) if alone else entry.label


def _measured_flops(entries: Sequence[Entry], dataset: str) -> list[Point]:
    return [
        _point(_title(entry, entries), float(flops) / 1e9, _psnr(entry, dataset), float(params) / 1e3, MEASURED)
        for entry in entries
        if (flops := entry.values.get("flops")) and (params := entry.values.get("params"))
    ]


def _timed(
    entries: Sequence[Entry], published: Mapping[str, Mapping[str, str]], profiles: Profiles, scale: int, dataset: str
) -> list[Point]:
    """A point per timed network: with its measured PSNR, else with the published one, and then it says so."""
    points = []
    for row in profiles.latency:
        key, time = network_key(row["model"]), number(row["median_ms"])
        if time is None or row["scale"] != str(scale):
            continue
        own = next((entry for entry in entries if entry.key == key and entry.values.get("params")), None)
        label = f"{row['model']} ({row.get('implementation') or '?'}, {row.get('dtype') or '?'})"
        if own is not None:
            params = float(str(own.values["params"])) / 1e3
            points.append(_point(label, time, _psnr(own, dataset), params, MEASURED))
        elif key in published and published[key]["params_k"]:
            points.append(_point(label, time, published[key]["psnr"], published[key]["params_k"], MIXED))
    return points


def dataset_of(entries: Sequence[Entry], asked: str | None) -> str:
    """The dataset to draw: the one asked for, Set5 as in the paper, or the only one that was scored.

    Raises UserError for a name that neither the paper nor the measurements have.
    """
    scored = dict.fromkeys(name for entry in entries for name in entry.scores)
    paper = [c.removesuffix("_psnr") for c in read_table("table1.csv")[0] if c.endswith("_psnr")]
    return match_name("dataset", asked, dict.fromkeys([*paper, *scored])) if asked else "Set5"
