"""The plan of a run: everything that decides its result, and what its folder holds of it already."""

import functools
import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from safmn_bench.ablations.data.benchmarks import Benchmark
from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.prefetch import Placement, choose_placement
from safmn_bench.ablations.judging.sequential import Looks
from safmn_bench.ablations.recipe import Recipe, whole_config
from safmn_bench.ablations.record import WITHOUT_RESULT, Record, RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.scoring.score import Protocol, protocol_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened, read_mapping
from safmn_bench.models.stored.archives import is_whole
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common.files import write_atomically, write_text

_RECIPE = "recipe."  # of a configuration: keys of its recipe
_CONTENT = "data.content."  # of a configuration: digests of each benchmark's HR and LR


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides a run's result, and where it goes."""

    candidate: Candidate
    scale: int
    seed: int
    recipe: Recipe
    recipe_name: str
    training_set: PackedSet
    benchmarks: Sequence[Benchmark]
    device: torch.device
    placement: Placement
    """As far as the planning process can tell, which looks at no GPU (`placed`)."""
    folder: RunFolder
    metrics: tuple[str, ...] = ()
    """Names of METRICS that are scored beside the standard ones."""
    command: str = ""
    """The command line that asked for it, for the record; it decides nothing."""
    looks: Looks | None = None
    """When the sweep is looked at, where it adds seeds by what it finds: tables of the records must know."""
    rate: float = 1.0
    """The multiple of the recipe's learning rate that `recipe` has, for the run's name."""
    tuned: float | None = None
    """The same, of a run at its network's own rate (sweeps/tuning.py), for the record."""
    runs_per_gpu: int = 1
    """Runs at a time on its GPU, each of which may hold its images there."""
    wandb: str | None = None
    """The project of Weights & Biases that is told how it goes; it decides nothing."""
    until: int | None = None
    """Train up to this iteration for now (a sweep's halving); it decides no result."""

    @property
    def protocol(self) -> Protocol:
        """How it is scored."""
        return protocol_of(self.benchmarks, self.scale, further=self.metrics)

    def config(self) -> dict[str, Any]:
        """The effective configuration: two runs with the same one are the same run."""
        candidate = self.candidate
        return {
            "variant": candidate.name,
            "model": candidate.model,
            "network": candidate.description(),
            "scale": self.scale,
            "seed": self.seed,
            "recipe": self.recipe.deciding(),
            "data": {"train": self.training_set.describe(), "benchmarks": [b.name for b in self.benchmarks]}
            | {"content": {b.name: asdict(b.content()) for b in self.benchmarks}},
            **({"metrics": list(self.metrics)} if self.metrics else {}),
        }

    def config_hash(self) -> str:
        """A short name of the effective configuration."""
        return self._config_hash

    @functools.cached_property
    def _config_hash(self) -> str:
        return hashlib.sha256(json.dumps(self.config(), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """The run's name for people."""
        rate = "" if self.rate == 1 and self.tuned is None else f" at {self.rate:g} x lr"
        return f"{self.candidate.name} x{self.scale} seed {self.seed}{rate}"


def placed(plan: Plan, device: torch.device) -> Plan:
    """The plan with its images where the GPU that this process computes on has room; on a CPU as it was planned.

    Looking at a GPU's memory takes some of it: the process that plans does not.
    """
    if device.type == "cpu":
        return plan
    images = plan.training_set
    return replace(plan, placement=choose_placement(images.hr.nbytes + images.lr.nbytes, device, plan.runs_per_gpu))


def finished_record(plan: Plan) -> Record | None:
    """The record of a finished or collapsed run; a failed one is to be tried again, a stopped one to go on.

    A run whose weights are gone or damaged is not finished: they are made again, from last.pt where it is there.
    """
    record = read_record(plan.folder)
    return record if record is not None and is_finished(plan, record) else None


def is_finished(plan: Plan, record: Record, whole: Callable[[Path], bool] = is_whole) -> bool:
    """Whether the record has a result, and weights.pt is there and `whole`; what collapsed before any validation has
    no weights.
    """
    kept_none = record.collapse is not None and record.collapse.get("weights_from_iteration") is None
    return record.status not in WITHOUT_RESULT and (kept_none or whole(plan.folder.weights))


def conflict_of(plan: Plan) -> str:
    """Words for a folder that holds a run of another configuration, with the difference; else nothing.

    Raises UserError where its config.yaml cannot be read.
    """
    path = plan.folder.config
    if not path.exists():
        return ""
    before, asked = whole_config(read_mapping(path)), flattened(plan.config())
    if not any(key.startswith(_CONTENT) for key in before):  # from before benchmarks were told by their pixels
        before |= {key: value for key, value in asked.items() if key.startswith(_CONTENT)}
    different = [key for key in {**before, **asked} if before.get(key) != asked.get(key)]
    if not different:
        return ""
    changes = "; ".join(f"{key}: {before.get(key)!r} there, {asked.get(key)!r} asked for" for key in different)
    return (
        f"{plan.folder.path} holds a run of another configuration ({changes}). Choose another --out, or delete that "
        f"folder{_way_on(before, different)}."
    )


def _way_on(before: Mapping[str, Any], different: Sequence[str]) -> str:
    """How to ask for the run that is there, where only its recipe differs, as after a recipe's new version."""
    if not all(key.startswith(_RECIPE) and key in before for key in different):
        return ""
    values = (f"{key.removeprefix(_RECIPE)}={json.dumps(before[key]).strip(chr(34))}" for key in different)
    return f", or go on with what is there: --set {shlex.join(values)}"


def claim(plan: Plan) -> None:
    """Write config.yaml, or check that the one that is there is the same. Raises UserError with the difference."""
    if not plan.folder.config.exists():
        write_text(plan.folder.config, yaml.safe_dump(plan.config(), sort_keys=False))
        keep_source(plan)
    elif conflict := conflict_of(plan):
        raise UserError(conflict)


def keep_source(plan: Plan) -> None:
    """Copy the code of a network of one's own into the run's folder: the record names its digest."""
    own = plan.candidate.own
    for name, path in (own.files() if own is not None else {}).items():
        content = path.read_bytes()
        write_atomically(plan.folder.source / name, lambda handle, content=content: handle.write(content))
