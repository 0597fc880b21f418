"""The options of noise.py: which networks are trained with which seeds, on what data, by which recipe."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.profiling.common.options import Options, Parser, output_folder, require_seeds

NETWORKS = ("baseline", "channel_mlp", "w_o_SAFM")
"""Two variants of which torch's order leaves most weights unlike the baseline's: there another order can help."""


@dataclass(frozen=True, kw_only=True)
class NoiseOptions(Options):
    """Options of noise.py."""

    variants: tuple[str, ...] = NETWORKS
    seeds: tuple[int, ...] = tuple(range(8))
    recipe: str = "quick"
    train_data: tuple[Path, ...] = ()
    """None given: embedded photographs, as for `benchmarks`."""
    benchmarks: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    """`KEY=VALUE` of the recipe, in order."""
    out: Path = Path("results/noise")
    table_only: bool = False

    def __post_init__(self) -> None:
        require_seeds(self.seeds)


def arguments() -> Parser[NoiseOptions]:
    """The command line of noise.py."""
    parser = Parser(NoiseOptions, prog="noise", description="Measure what lowers the noise between two trainings.")
    parser.add_argument("--variants", nargs="+", metavar="NAME", help=f"default: {' '.join(NETWORKS)}")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="default: 0 to 7")
    parser.add_argument("--recipe", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="folders of images (default: embedded photographs)"
    )
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="folders to score on (default: embedded photographs)"
    )
    parser.add_argument("--set", dest="overrides", nargs="+", action="extend", metavar="KEY=VALUE", help="recipe keys")
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--table-only", action="store_true", help="train nothing: the table of what is there")
    return parser
