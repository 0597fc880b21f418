"""What small runs gain that share a GPU: eight of the baseline at once by NVIDIA MPS, and the same by turns.

Each record says how long its own steps took beside the others; iterations over those seconds, summed over the runs, are
the GPU's pace. One run alone is the part `pace_24x8`.
"""

from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.card.options import CardOptions
from safmn_bench.ablations.card.parts import SLOTS, TINY, Part, script, tiny_network
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.records import records_below
from safmn_bench.profiling.common.files import write_csv

WAYS = {"shared_by_mps": (), "shared_by_turns": ("--no-mps",)}
"""Part -> what it asks of run.py; where there is no MPS both are by turns, and records say so."""
ITERATIONS = 400
COLUMNS = ("part", "sharing", "runs", "iterations", "iterations_per_s", "slowest_run_s")
_LIMIT_S = 35  # starting eight processes takes most of it


def sharing_parts(options: CardOptions, out: Path) -> list[Part]:
    """A sweep of one network with `SLOTS` seeds, all at once, in each way; two tiny runs where it is dry."""
    iterations, seeds = (4, 2) if options.dry_run else (ITERATIONS, SLOTS)
    keys = [f"train.{key}={iterations}" for key in ("iterations", "validate_every", "save_every")]
    keys += TINY if options.dry_run else ()
    what = ("--variant", tiny_network(out) if options.dry_run else "baseline", "--seeds", *range(seeds))
    how = ("--recipe", "reduced_cpu", "--device", "cpu" if options.dry_run else options.device)
    return [
        Part(
            name=name,
            command=script("run", *what, *how, "--slots-per-device", seeds, *way, "--out", out / name, "--set", *keys),
            limit_s=120 if options.dry_run else _LIMIT_S,
        )
        for name, way in WAYS.items()
    ]


def write_sharing(out: Path) -> None:
    """sharing.csv: the pace of each part whose runs all finished; nothing where none has."""
    rows = []
    for name in WAYS:
        records = [record for _, record in records_below(out / name)] if (out / name).is_dir() else []
        if records and all(record.status == "finished" for record in records):
            rows.append([name, *_pace(records)])
    if rows:
        write_csv(out / "sharing.csv", COLUMNS, [dict(zip(COLUMNS, row, strict=True)) for row in rows])


def _pace(records: Sequence[Record]) -> tuple[str, int, int, float, float]:
    """What a row says behind the part's name."""
    pace = sum(record.iterations / record.train_seconds for record in records)
    ways = sorted({record.machine.get("sharing", "by turns") for record in records})
    slowest = max(record.train_seconds for record in records)
    return " and ".join(ways), len(records), records[0].iterations, round(pace, 2), round(slowest, 2)
