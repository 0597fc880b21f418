"""The options of throughput.py: what trains, by which recipe, and how many blocks of each mode are timed."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Options, Parser, output_file, require_at_least


@dataclass(frozen=True, kw_only=True)
class ThroughputOptions(Options):
    """Options of throughput.py. Raises UserError for less than one round."""

    model: str = "safmn"
    scale: int = 4
    recipe: str | None = None
    """None: quick on a CPU, paper on a GPU."""
    train_data: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    device: str = "auto"
    rounds: int = 8
    forms: bool = False
    """Time the step in every form and precision, and no loops."""
    seconds: float = 300.0
    """After which no further form is begun."""
    csv: Path | None = None
    overrides: tuple[str, ...] = ()
    """`KEY=VALUE` of the recipe, in order."""

    def __post_init__(self) -> None:
        require_at_least(1, rounds=self.rounds)
        if self.seconds <= 0:
            raise UserError(f"--seconds {self.seconds:g} is no time to measure in. Allowed: above 0.")


def arguments() -> Parser[ThroughputOptions]:
    """The command line of throughput.py."""
    parser = Parser(ThroughputOptions, prog="throughput", description="Measure the pace of training.")
    parser.add_argument("--model", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--recipe", metavar="NAME", help="default: quick on a CPU, paper on a GPU")
    parser.add_argument("--train-data", type=Path, nargs="+", metavar="DIR", help="default: embedded")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--rounds", type=int, metavar="N", help="blocks of each mode (default: %(default)s)")
    parser.add_argument(
        "--forms", action="store_true",
        help="time the step plain, fast, compiled and as a CUDA graph, in fp32, tf32 and bf16, and no loops",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, metavar="S", help="with --forms: begin none later (default: 300)")
    parser.add_argument("--csv", type=output_file, metavar="FILE", help="also write the rows here")
    parser.add_argument("--set", dest="overrides", nargs="+", action="extend", metavar="KEY=VALUE", help="recipe keys")
    return parser
