"""The options of run.py: which networks, scales and seeds, on what data, by which recipe, and who runs them."""

import argparse
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from safmn_bench.ablations.data.options import add_lr_options
from safmn_bench.ablations.scoring.options import ScoringOptions, add_metrics_option
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Parser, require_seeds


class EngineRow(NamedTuple):
    """`module` has `open_engine(options) -> engines.Engine`; it is imported when the engine is used."""

    text: str
    module: str


ENGINES = {
    "local": EngineRow("this machine", "safmn_bench.ablations.sweeps.local_engine"),
    "slurm": EngineRow("a Slurm cluster", "safmn_bench.ablations.sweeps.slurm_engine"),
}


@dataclass(frozen=True, kw_only=True)
class RunOptions(ScoringOptions):
    """Options of run.py; one of `variant`, `variants`, `table`, `model` and `sweep` is given.

    Raises UserError for a negative seed, and for less than one core or minute of Slurm's.
    """

    variant: str | None = None
    variants: tuple[str, ...] | None = None
    table: int | None = None
    """The table of the paper that the sweep is, which is written at its end."""
    model: tuple[str, ...] | None = None
    sweep: Path | None = None
    recipe: str | None = None
    """None: quick on a CPU, paper on a GPU."""
    scale: tuple[int, ...] = (4,)
    seeds: tuple[int, ...] = (0,)
    train_data: tuple[Path, ...] = ()
    """None given: embedded photographs, as for `benchmarks`."""
    benchmarks: tuple[Path, ...] = ()
    leave_out_small: bool = False
    device: str = "auto"
    out: Path = Path("results/runs")
    overrides: tuple[str, ...] = ()
    """`KEY=VALUE` of the recipe, in order."""
    engine: str = "local"
    slots_per_device: int = 1
    no_mps: bool = False
    """Runs that share a GPU take turns, though NVIDIA's service is there."""
    detect: float | None = None
    """The difference in dB that the number of seeds is planned for; None: `seeds` are what they are."""
    pilot: Path | None = None
    """Runs that tell the noise, for `detect`."""
    seeds_until: float | None = None
    """The family's level of false finds, at which seeds are no longer added; None: none are added."""
    max_seeds: int = 10
    """Of each network, where seeds are added."""
    tune_lr: tuple[float, ...] | None = None
    """Multiples of the recipe's learning rate, of which each network gets its best; None: all have the recipe's."""
    dry_run: bool = False
    skip_failed: bool = False
    wandb: str | None = None
    """The project of Weights & Biases that is told as well; it changes no run."""
    halve: float | None = None
    """The share of the iterations after which the lower half of the networks stops; None: none stops."""
    force: bool = False
    """Halve earlier than `EARLIEST`."""
    slurm_partition: str | None = None
    slurm_gpus: int = 0
    slurm_cpus: int = 2
    slurm_time_min: int = 60
    slurm_memory_gb: float | None = None
    slurm_folder: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_seeds(self.seeds)
        for option, value in (("--slurm-cpus", self.slurm_cpus), ("--slurm-time-min", self.slurm_time_min)):
            if value < 1:
                raise UserError(f"{option} {value} is nothing to run on. Allowed: whole numbers from 1 up.")
        if self.halve is not None:
            _require_cut(self.halve, self.force)
        if self.detect is not None or self.pilot is not None:
            _require_pilot(self)
        if self.tune_lr is not None:
            _require_rates(self)
        if self.seeds_until is not None:
            _require_looks(self)
        if self.wandb is not None and find_spec("wandb") is None:
            raise UserError("--wandb needs wandb, which is not installed here: pip install 'safmn-bench[wandb]'.")
        if self.slots_per_device < 1:
            raise UserError(
                f"--slots-per-device {self.slots_per_device} leaves no place to run. Allowed: whole numbers from 1 up."
            )


EARLIEST = 0.4
"""Of the iterations. In results/ablation/ scores rank the final ones with 0.89 to 0.96 at half, with 0.2 to 0.35 at a
quarter of a run."""


def _require_cut(share: float, force: bool) -> None:
    if not 0 < share < 1:
        raise UserError(f"--halve {share:g} is out of range. Allowed: above 0 and below 1, such as 0.5.")
    if share < EARLIEST and not force:
        raise UserError(
            f"--halve {share:g}: scores do not rank networks so early (at a quarter of a run with 0.2 to 0.35, at half "
            f"of it with 0.89 to 0.96). Allowed: from {EARLIEST} up, and less with --force."
        )


def _require_rates(options: RunOptions) -> None:
    rates = options.tune_lr or ()
    if min(rates) <= 0 or 1 not in rates or len(set(rates)) < 2:
        raise UserError(
            f"--tune-lr {' '.join(f'{rate:g}' for rate in rates)}: give multiples above 0 of the recipe's learning "
            "rate, 1 among them, such as 0.25 0.5 1 2."
        )
    if options.halve is not None or options.seeds_until is not None:
        raise UserError("--tune-lr runs every seed at two rates: leave out --halve and --seeds-until.")


def _require_pilot(options: RunOptions) -> None:
    if options.detect is None or options.pilot is None:
        raise UserError("--detect DB and --pilot DIR go together: the runs in DIR tell how much noise there is.")
    if options.detect <= 0:
        raise UserError(f"--detect {options.detect:g} is no difference. Allowed: above 0 dB, such as 0.03.")
    if options.seeds != (0,) or options.seeds_until is not None:
        raise UserError("--detect plans the seeds: leave out --seeds and --seeds-until.")


def _require_looks(options: RunOptions) -> None:
    level, first = options.seeds_until or 0.0, len(set(options.seeds))
    if not 0 < level < 1:
        raise UserError(f"--seeds-until {level:g} is out of range. Allowed: above 0 and below 1, such as 0.05.")
    if not 2 <= first < options.max_seeds:
        raise UserError(
            f"--seeds-until starts from {counted(first, 'seed')} and adds up to --max-seeds {options.max_seeds}. "
            "Allowed: from 2 seeds (--seeds 0 1) to more than that."
        )
    if options.halve is not None:
        raise UserError("--halve and --seeds-until judge the same runs by different rules: leave one of them out.")


def arguments() -> Parser[RunOptions]:
    """The command line of run.py."""
    parser = Parser(RunOptions, prog="run", description="Train, score and profile variants of SAFMN and its peers.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--variant", metavar="NAME", help="one variant: a name of Tables 3 and 4, or a YAML file")
    what.add_argument("--variants", nargs="+", metavar="NAME", help="several")
    what.add_argument("--table", type=int, choices=(3, 4), help="all variants of a table of the paper")
    what.add_argument("--model", nargs="+", metavar="NAME", help="networks of Table 1, such as carn")
    what.add_argument("--sweep", type=Path, metavar="FILE", help="a YAML file that names variants, scales, seeds, ...")
    parser.add_argument(
        "--recipe", metavar="NAME", help="quick, paper, or a YAML file (default: quick on a CPU, paper on a GPU)"
    )
    parser.add_argument("--scale", type=int, nargs="+", choices=SCALES, help="one or more (default: 4)")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="default: 0")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="folders of images (default: embedded photographs)"
    )
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="folders to score on (default: embedded photographs)"
    )
    add_metrics_option(parser)
    parser.add_argument(
        "--leave-out-small", action="store_true", help="leave out training images that are smaller than the patch"
    )
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--wandb", metavar="PROJECT", help="tell Weights & Biases too (default: no; WANDB_MODE=offline sends nothing)"
    )
    parser.add_argument(
        "--set", dest="overrides", nargs="+", action="extend", metavar="KEY=VALUE",
        help="recipe keys to change, such as train.iterations=2000",
    )  # fmt: skip
    _add_many_runs(parser)
    add_lr_options(parser)
    _add_slurm(parser)
    return parser


def _add_many_runs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("many runs")
    group.add_argument(
        "--engine", choices=tuple(ENGINES),
        help=f"who runs them: {', or '.join(row.text for row in ENGINES.values())} (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--slots-per-device", type=int, metavar="N",
        help="runs at a time on each GPU, or on the CPU, whose threads they share (default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--no-mps", action="store_true",
        help="have runs that share a GPU take turns; else they compute at once where nvidia-cuda-mps-control is there",
    )  # fmt: skip
    group.add_argument(
        "--halve", type=float, metavar="SHARE",
        help="after this share of the iterations, such as 0.5, stop networks that are surely not in the top half",
    )  # fmt: skip
    group.add_argument(
        "--detect", type=float, metavar="DB", help="plan as many seeds as find this difference, by the noise of --pilot"
    )
    group.add_argument("--pilot", type=Path, metavar="DIR", help="runs that tell the noise, for --detect")
    group.add_argument(
        "--seeds-until", type=float, metavar="P",
        help="after --seeds, add seeds to networks that are not told from the baseline yet, so that the chance of any "
        "false find stays below this, such as 0.05",
    )  # fmt: skip
    group.add_argument("--max-seeds", type=int, metavar="N", help="of each, with --seeds-until (default: %(default)s)")
    group.add_argument(
        "--tune-lr", type=float, nargs="+", metavar="TIMES",
        help="try these multiples of the learning rate, such as 0.25 0.5 1 2, on held-out training images, and run the "
        "seeds at the recipe's rate and at each network's best",
    )  # fmt: skip
    group.add_argument("--force", action="store_true", help=f"halve before {EARLIEST} of the iterations too")
    group.add_argument("--dry-run", action="store_true", help="print the plan and an estimate of the time, then stop")
    group.add_argument("--skip-failed", action="store_true", help="do not try again what failed before")


def _add_slurm(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("Slurm", "with --engine slurm: what each run asks for")
    group.add_argument("--slurm-partition", metavar="NAME", help="default: the cluster's")
    group.add_argument("--slurm-gpus", type=int, choices=(0, 1), help="GPUs per run (default: %(default)s)")
    group.add_argument("--slurm-cpus", type=int, metavar="N", help="cores per run (default: %(default)s)")
    group.add_argument(
        "--slurm-time-min", type=int, metavar="MINUTES",
        help="limit of one job; a run that needs longer saves, is queued again and goes on (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--slurm-memory-gb", type=float, metavar="GB", help="default: the cluster's")
    group.add_argument("--slurm-folder", type=Path, metavar="DIR", help="job scripts and messages (default: OUT/slurm)")
