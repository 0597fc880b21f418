"""The options of check.py: which network is checked for what, or where a template goes."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import SCALES, Options, Parser, output_file, require_at_least

CHECK_NAMES = (
    *("sizes", "gradients", "evaluation", "batch", "range", "deployed", "counting", "state", "reach", "compile"),
    "onnx",
)
"""The keys of checks.CHECKS, which is not light: a test holds the two together."""


LONGEST = 1e6  # seconds: the system counts no more than some hundred years


@dataclass(frozen=True, kw_only=True)
class CheckOptions(Options):
    """Options of check.py. Raises UserError unless `model` or `new` is given."""

    model: str | None = None
    scale: int = 4
    without: tuple[str, ...] = ()
    new: Path | None = None
    limit: float = 300.0
    """Seconds that one check may take; 0: no limit, and no process of its own."""

    def __post_init__(self) -> None:
        if (self.model is None) == (self.new is None):
            raise UserError("Give the network to check, such as mynet.py:MyNet, or --new FILE.py for a template.")
        require_at_least(0, limit=self.limit)
        if self.limit > LONGEST:
            raise UserError(f"--limit {self.limit:g} is above {LONGEST:g} seconds. Allowed: 0 for no limit.")


def arguments() -> Parser[CheckOptions]:
    """The command line of check.py."""
    parser = Parser(CheckOptions, prog="check", description="Check what holds of a network, and what does not.")
    parser.add_argument("model", nargs="?", metavar="NAME", help="FILE.py:Class, package.module:Class, or any name")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--without", nargs="+", choices=CHECK_NAMES, metavar="CHECK",
                        help=f"leave out some of: {', '.join(CHECK_NAMES)}")  # fmt: skip
    parser.add_argument("--limit", type=float, metavar="S",
                        help="seconds that a check may take, in a process that is then ended (default: %(default)g; "
                        "0: no limit, in this process)")  # fmt: skip
    parser.add_argument("--new", type=output_file, metavar="FILE.py", help="write a small network to begin from")
    return parser
