"""From the scores of noise.py's trainings to the table of standard deviations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from safmn_bench.ablations.judging.deviation import contrasts, deviation, ratio, within_networks
from safmn_bench.ablations.scatter.followed import RECIPE

DEFAULT = ("order", RECIPE)
HEADER = [
    "initialisation", "scored weights", "mean [dB]", "sd of a run [dB]", "95 %", "sd of a difference [dB]", "95 %",
    "ratio", "95 %",
]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One score."""

    network: str
    seed: int
    initialisation: str
    choice: str
    dataset: str
    psnr_y_db: float
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One way of starting and scoring, on one benchmark. Deviations in dB, `ratio` to the recipe as it is."""

    dataset: str
    initialisation: str
    choice: str
    networks: int
    seeds: int
    mean_db: float
    run_sd_db: float
    run_sd_low_db: float
    run_sd_high_db: float
    difference_sd_db: float
    """Of two networks trained once each, with one seed: sqrt(2) times what neither network nor seed explains."""
    difference_sd_low_db: float
    difference_sd_high_db: float
    freedom: int
    """Of the difference's deviation."""
    ratio: float
    ratio_low: float
    ratio_high: float


def lines_of(rows: Sequence[Row]) -> list[Line]:
    """A line per benchmark, initialisation and choice, of the seeds that all networks and initialisations have."""
    networks = list(dict.fromkeys(row.network for row in rows))
    ways = list(dict.fromkeys((row.initialisation, row.choice) for row in rows))
    lines: list[Line] = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        scores = {(r.network, r.seed, r.initialisation, r.choice): r.psnr_y_db for r in rows if r.dataset == dataset}
        seeds = [
            seed
            for seed in sorted({row.seed for row in rows})
            if all((network, seed, *way) in scores for network in networks for way in ways)
        ]
        if len(seeds) > 1 and len(networks) > 1 and (len(networks) - 1) * (len(seeds) - 1) > 2:
            tables = {
                way: np.array([[scores[network, seed, *way] for seed in seeds] for network in networks]) for way in ways
            }
            lines += [_line(dataset, way, table, tables[DEFAULT]) for way, table in tables.items()]
    return lines


def _line(dataset: str, way: tuple[str, str], table: np.ndarray, usual: np.ndarray) -> Line:
    run, rest = deviation(within_networks(table)), deviation(contrasts(table))
    run_low, run_high = run.interval()
    low, high = (math.sqrt(2) * bound for bound in rest.interval())
    against = ratio(contrasts(table), contrasts(usual))
    return Line(
        dataset=dataset, initialisation=way[0], choice=way[1], networks=table.shape[0], seeds=table.shape[1],
        mean_db=float(table.mean()), run_sd_db=run.sd, run_sd_low_db=run_low, run_sd_high_db=run_high,
        difference_sd_db=math.sqrt(2) * rest.sd, difference_sd_low_db=low, difference_sd_high_db=high,
        freedom=rest.freedom, ratio=against.ratio, ratio_low=against.low, ratio_high=against.high,
    )  # fmt: skip


def cells(line: Line) -> list[str]:
    """A line as it is printed, under HEADER."""
    return [
        line.initialisation, line.choice, f"{line.mean_db:.3f}",
        f"{line.run_sd_db:.4f}", f"{line.run_sd_low_db:.4f} to {line.run_sd_high_db:.4f}",
        f"{line.difference_sd_db:.4f}", f"{line.difference_sd_low_db:.4f} to {line.difference_sd_high_db:.4f}",
        f"{line.ratio:.2f}", f"{line.ratio_low:.2f} to {line.ratio_high:.2f}",
    ]  # fmt: skip
