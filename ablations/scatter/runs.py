"""The trainings of noise.py: one per network, seed and initialisation, each written when it is done."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.benchmarks import Benchmark, open_benchmarks
from safmn_bench.ablations.data.held_out import held_out
from safmn_bench.ablations.data.prefetch import open_batches
from safmn_bench.ablations.data.preflight import prepare_training
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.recipe import whole_config
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.scatter import table
from safmn_bench.ablations.scatter.followed import follow
from safmn_bench.ablations.scatter.options import NoiseOptions
from safmn_bench.ablations.scatter.table import Line, Row
from safmn_bench.ablations.scoring.score import Protocol, score
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.models.errors import UserError
from safmn_bench.models.named_init import INITIALISATIONS, build_seeded
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.machine import commit, hardware_name
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.common.sealed import read_result, write_sealed

CPU = torch.device("cpu")
SHARE = 0.2  # of the training images, held out: two to three of the embedded photographs


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One training, and the images that choose among its checkpoints."""

    plan: Plan
    held_out: Benchmark

    @property
    def name(self) -> str:
        """Of its file."""
        starts = self.plan.recipe.train.initialisation
        return f"{self.plan.candidate.name}-x{self.plan.scale}-seed{self.plan.seed}-{starts}.json"

    def config(self) -> dict[str, Any]:
        """Everything that decides its scores."""
        return {**self.plan.config(), "held_out": [item.name for item in self.held_out.items]}


def planned(options: NoiseOptions) -> list[Wanted]:
    """All trainings, seed by seed, so that a table can be made of the first seeds. Raises UserError as run.py does."""
    train_data, benchmarks = options.train_data, options.benchmarks
    plans = make_plans(
        RunOptions(
            variants=options.variants, seeds=options.seeds, recipe=options.recipe, device="cpu",
            benchmarks=benchmarks, train_data=train_data, overrides=options.overrides,
        )
    )  # fmt: skip
    scale, patch = plans[0].scale, plans[0].recipe.train.patch
    sets, kept_back = held_out(open_training_sets(train_data, scale), scale, SHARE)
    scored = open_benchmarks(benchmarks, scale) if benchmarks else plans[0].benchmarks
    images = prepare_training(sets, [*scored, kept_back], scale=scale, patch=patch)
    trainings = [
        Wanted(plan=replace(plan, training_set=images, recipe=_started(plan, starts)), held_out=kept_back)
        for plan in plans
        for starts in INITIALISATIONS
    ]
    return sorted(trainings, key=lambda training: training.plan.seed)


def _started(plan: Plan, initialisation: str) -> Any:
    return replace(plan.recipe, train=replace(plan.recipe.train, initialisation=initialisation))


def train_missing(wanted: Sequence[Wanted], out: Path, stop: Callable[[], bool]) -> None:
    """Train all that have no file yet, until `stop()`; one that is under way then is given up."""
    keep_freed_memory()
    missing = [training for training in wanted if stored(training, out) is None]
    started = time.monotonic()
    for index, training in enumerate(missing):
        rest = (time.monotonic() - started) / index * (len(missing) - index) / 60 if index else None
        left = f", about {rest:.0f} min left" if rest is not None else ""
        print(f"{len(wanted) - len(missing) + index} of {len(wanted)} done{left}: {training.name}", file=sys.stderr)
        try:
            write_sealed(
                out / "runs" / training.name,
                {"config": training.config(), "scores": scores_of(training, stop), **_origin()},
            )
        except InterruptedError:
            return


def scores_of(training: Wanted, stop: Callable[[], bool]) -> dict[str, dict[str, float]]:
    """Choice -> benchmark -> PSNR-Y in dB after one training. Raises InterruptedError when told to stop."""
    plan, protocol = training.plan, Protocol(scale=training.plan.scale)
    starts = plan.recipe.train.initialisation
    group = Group(0, 1, plan.device)
    learner = Learner(build_seeded(lambda: plan.candidate.build(plan.scale), plan.seed, starts), plan.recipe, group)
    batches = open_batches(
        plan.training_set, plan.recipe.train, plan.placement, seed=plan.seed, device=plan.device, rank=0, world=1
    )

    def told(_: int) -> None:
        if stop():
            raise InterruptedError

    def judge(network: torch.nn.Module) -> float:
        return score(network, training.held_out, protocol, plan.device)[HEADLINE]

    followed = follow(learner, batches.take(0, plan.recipe.train.iterations), judge, told)
    return {
        name: {b.name: score(followed.network(name), b, protocol, plan.device)[HEADLINE] for b in plan.benchmarks}
        for name in followed.names
    }


def _origin() -> Mapping[str, str]:
    return {"commit": commit(), "torch": torch.__version__, "hardware": hardware_name(CPU)}


def stored(training: Wanted, out: Path) -> dict[str, Any] | None:
    """The content of its file, or None. Raises UserError where the file is of another configuration."""
    path = out / "runs" / training.name
    if not path.exists():
        return None
    content = read_result(path, "Delete it, and it is trained again.")
    if "scores" not in content or "config" not in content:
        raise UserError(f"{path} holds no scores. Delete it, and it is trained again.")
    if whole_config(content["config"]) != whole_config(json.loads(json.dumps(training.config()))):
        raise UserError(f"{path} is of other images or another recipe. Choose another --out, or delete that folder.")
    return content


def read(wanted: Sequence[Wanted], out: Path) -> list[Row]:
    """Every score that is there."""
    return [row for training in wanted if (content := stored(training, out)) for row in _rows(training, content)]


def _rows(training: Wanted, content: Mapping[str, Any]) -> list[Row]:
    starts, name, seed = training.plan.recipe.train.initialisation, training.plan.candidate.name, training.plan.seed
    origin = {key: content[key] for key in ("commit", "torch", "hardware")}
    return [
        Row(name, seed, starts, choice, dataset, db, origin)
        for choice, scores in content["scores"].items()
        for dataset, db in scores.items()
    ]


def write_csvs(out: Path, lines: Sequence[Line], rows: Sequence[Row]) -> None:
    """noise.csv and scores.csv."""
    write_csv(out / "noise.csv", tuple(vars(lines[0])), [vars(line) for line in lines])
    known = [{**vars(row), **row.origin} for row in rows]
    columns = ("network", "seed", "initialisation", "choice", "dataset", "psnr_y_db", "commit", "torch", "hardware")
    write_csv(out / "scores.csv", columns, [{key: row[key] for key in columns} for row in known])


def tell(lines: Sequence[Line], out: Path, rows: Sequence[Row]) -> None:
    """The table to the terminal and as noise.csv; every score as scores.csv."""
    if not lines:
        print("Too few seeds are complete for a table: (networks - 1) x (seeds - 1) must be at least 3.")
        return
    for dataset in dict.fromkeys(line.dataset for line in lines):
        title = f"PSNR-Y on {dataset}, {counted(lines[0].networks, 'network')} x {counted(lines[0].seeds, 'seed')}"
        shown = [table.cells(line) for line in lines if line.dataset == dataset]
        console.print_table(title, table.HEADER, shown, text_columns=2)
    write_csvs(out, lines, rows)
    print(f"Written: {out / 'noise.csv'}, {out / 'scores.csv'}")
