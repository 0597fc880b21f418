"""The options of compare.py: which networks, with which weights, on which benchmarks, and what is written."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.data.options import add_lr_options
from safmn_bench.ablations.scoring.options import ScoringOptions, add_metrics_option, weight_files
from safmn_bench.analysis.attribution.options import STEPS
from safmn_bench.profiling.common.options import (
    DEVICE_HELP,
    LR_SIZE,
    SCALES,
    Parser,
    lr_size,
    output_file,
    require_at_least,
    require_threads,
)


@dataclass(frozen=True, kw_only=True)
class CompareOptions(ScoringOptions):
    """Options of compare.py. Raises UserError where weights and networks do not pair."""

    models: tuple[str, ...]
    scale: int = 4
    weights: tuple[str, ...] = ()
    """A file, or - for an untrained one, for each of `models`; none given: all untrained."""
    benchmarks: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    lr_size: str = LR_SIZE
    runs: int = 50
    threads: int | None = None
    device: str = "auto"
    lam: bool = False
    steps: int = STEPS
    csv: Path | None = None
    markdown: Path | None = None
    latex: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        lr_size(self.lr_size)
        require_at_least(1, runs=self.runs, steps=self.steps)
        require_threads(self.threads)
        weight_files(self.models, self.weights)

    @property
    def weight_files(self) -> list[Path | None]:
        """For each network."""
        return weight_files(self.models, self.weights)


def arguments() -> Parser[CompareOptions]:
    """The command line of compare.py."""
    parser = Parser(
        CompareOptions, prog="compare", description="One row per network: counts, time, memory, scores, attribution."
    )
    parser.add_argument(
        "models", nargs="+", metavar="NAME", help="models, variants, YAML files, FILE.py:Class or package.module:Class"
    )
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument(
        "--weights", nargs="+", metavar="FILE|-",
        help="one for each network, in that order; - where it has none, and is not scored (default: - for all)",
    )  # fmt: skip
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR",
        help="folders with HR/ (and LR_bicubic/X4/), or with images (default: embedded photographs)",
    )  # fmt: skip
    add_metrics_option(parser)
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels that are timed (default: %(default)s)")
    parser.add_argument("--runs", type=int, metavar="N", help="timed passes each (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's)")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--lam", action="store_true", help="attribute too: mean DI over windows of three photographs")
    parser.add_argument("--steps", type=int, metavar="N", help="path steps of --lam (default: %(default)s)")
    parser.add_argument(
        "--csv", type=output_file, metavar="FILE", help="exact figures; how they were made to FILE.json"
    )
    parser.add_argument("--markdown", type=output_file, metavar="FILE", help="the table for a README")
    parser.add_argument("--latex", type=output_file, metavar="FILE", help="the table for a paper (booktabs)")
    add_lr_options(parser)
    return parser
