"""Where LR is, for every command that opens images; and the options of prepare.py."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import SCALES, Options, Parser, require_at_least

MADE = "made"


@dataclass(frozen=True, kw_only=True)
class LROptions(Options):
    """Where LR is. Raises UserError for `made` beside a folder."""

    lr: tuple[str, ...] = ()
    """Folders, or MADE alone; none: what lies beside HR under a known name, else made."""
    lr_pattern: str | None = None
    lr_is_not_bicubic: bool = False

    def __post_init__(self) -> None:
        if MADE in self.lr and (len(self.lr) > 1 or self.lr_pattern is not None):
            raise UserError("--lr made makes all LR from HR: give no folder and no --lr-pattern beside it.")


def add_lr_options(parser: argparse.ArgumentParser) -> None:
    """Add --lr, --lr-pattern and --lr-is-not-bicubic."""
    group = parser.add_argument_group("LR images")
    group.add_argument(
        "--lr", nargs="+", metavar="DIR",
        help="folders to read LR from, each for the nearest set whose files are called alike; `made`: LR is made from "
        "HR by MATLAB-style bicubic, whatever lies beside it (default: what lies beside HR under a known name, else "
        "made)",
    )  # fmt: skip
    group.add_argument(
        "--lr-pattern", metavar="PATTERN",
        help="how an LR file is called without suffix, from {name} (the HR file's) and {scale}: '{name}_LR{scale}'",
    )  # fmt: skip
    group.add_argument(
        "--lr-is-not-bicubic", action="store_true",
        help="LR is of another kind (a camera's, blurred, noisy): do not compare it with bicubic of HR",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(LROptions):
    """Options of prepare.py. Raises UserError for less than one worker."""

    train_data: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    scale: tuple[int, ...] = (4,)
    patch: int = 1
    benchmarks: tuple[Path, ...] = ()
    cache: Path | None = None
    workers: int | None = None
    verify: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, workers=self.workers)


def arguments() -> Parser[PrepareOptions]:
    """The command line of prepare.py."""
    parser = Parser(
        PrepareOptions,
        prog="prepare",
        description="Check training sets and pack them once; run.py then starts at once. A pack that was interrupted "
        "goes on where it was.",
    )
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR",
        help="folders with images, or with sets below them (DIV2K and Flickr2K in their published layout); default: "
        "embedded photographs",
    )  # fmt: skip
    parser.add_argument("--scale", type=int, nargs="+", choices=SCALES, help="default: 4")
    parser.add_argument("--patch", type=int, metavar="PX", help="LR patch that every image must hold")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="check that none of their images trains"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR",
        help="where packs are kept (default: $SAFMN_BENCH_CACHE, else safmn-bench in the user's cache folder)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads (default: one per core, fewer for huge images)"
    )
    parser.add_argument("--verify", action="store_true", help="read all files again to see whether they changed")
    add_lr_options(parser)
    return parser
