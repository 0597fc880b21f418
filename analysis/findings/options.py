"""The options of study.py: which folder of runs is told, where the files go, and what runs networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.analysis.attribution.options import STEPS
from safmn_bench.profiling.common.options import Options, Parser, output_folder, require_at_least, require_threads


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Options):
    """Options of study.py. Raises UserError for numbers that cannot be."""

    runs: Path
    out: Path | None = None
    """None: into `runs`."""
    records_only: bool = False
    structure: Sequence[Path] = ()
    """Benchmarks whose images are measured for repeated structure."""
    steps: int = STEPS
    images: int = 2
    threads: int = 1
    """One: pictures are small; two threads wait for each other, and worse where the machine has other work."""

    def __post_init__(self) -> None:
        require_at_least(1, steps=self.steps)
        require_threads(self.threads)
        require_at_least(0, images=self.images)


def arguments() -> Parser[StudyOptions]:
    """The command line of study.py."""
    parser = Parser(
        StudyOptions,
        prog="study",
        description="Everything that follows from a folder of ablation runs: Tables 3 and 4, Figures 1 and 7, the "
        "differences from the baseline, the rank correlation with the paper (ranking.csv), shorter runs against full "
        "ones (budget.csv, from budget/<iterations>/ in the folder), differences by other trainings (trainings.csv, "
        "from trainings/<label>/ and tuned/), collapses (collapse.csv), what the networks look at (lam.csv, lam.png), "
        "the report page (report.html), and README.md with the finding in words. The same records give the same files, "
        "byte for byte.",
    )
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="what run.py wrote (its --out)")
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="where the files go (default: into --runs)")
    parser.add_argument(
        "--records-only", action="store_true",
        help="only what follows from the records alone: no network runs, a lam.csv that is in --runs is read, and "
        "neither it nor the report is written",
    )  # fmt: skip
    parser.add_argument(
        "--structure", type=Path, nargs="+", metavar="DIR",
        help="benchmarks to measure repeated structure in (structure.csv): differences from the baseline on the "
        "quarter of their images with most of it are held against those on the rest. A structure.csv in --runs is read",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N", help="path steps of an attribution (default: %(default)s)")
    parser.add_argument(
        "--images", type=int, metavar="N", help="pictures that the report compares (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N",
        help="CPU threads that networks run on; the last bits depend on it (default: %(default)s)",
    )  # fmt: skip
    return parser


@dataclass(frozen=True, kw_only=True)
class CardOptions(Options):
    """Options of card.py."""

    run: Path
    out: Path | None = None
    """None: `card` in the run's folder."""


def card_arguments() -> Parser[CardOptions]:
    """The command line of card.py."""
    parser = Parser(
        CardOptions,
        prog="card",
        description="A finished run as a folder for a model hub: README.md with the hub's metadata, model.safetensors, "
        "config.json. Nothing is uploaded.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder, such as results/runs/w_o_MR/x4/seed0")
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="default: card, in the run's folder")
    return parser
