"""What prepare.py does: check training sets, pack them, and say what was packed, how fast, and where."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.data.lr_options import add_lr_options, lr_choice, notes_of, open_images
from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.preflight import prepare_training
from safmn_bench.ablations.data.treatments import image_notes
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.console import print_table, progress, shown_in


def arguments() -> argparse.ArgumentParser:
    """The options of prepare.py."""
    parser = argparse.ArgumentParser(
        prog="prepare",
        description="Check training sets and pack them once; run.py then starts at once. A pack that was interrupted "
        "goes on where it was.",
    )
    parser.add_argument(
        "--train-data", type=Path, nargs="+", default=[], metavar="DIR",
        help="folders with images, or with sets below them (DIV2K and Flickr2K in their published layout); default: "
        "embedded photographs",
    )  # fmt: skip
    parser.add_argument("--scale", type=int, nargs="+", default=[4], choices=(2, 3, 4), help="default: 4")
    parser.add_argument("--patch", type=int, default=1, metavar="PX", help="LR patch that every image must hold")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", default=[], metavar="DIR", help="check that none of their images trains"
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


def prepare(args: argparse.Namespace) -> None:
    """Check and pack for every scale that is asked for. Raises UserError for the first offender."""
    if args.workers is not None and args.workers < 1:
        raise UserError(f"--workers {args.workers} is not a whole number of at least 1.")
    lr = lr_choice(args.lr, args.lr_pattern, is_not_bicubic=args.lr_is_not_bicubic)
    for scale in dict.fromkeys(args.scale):
        started, stages = time.perf_counter(), set[str]()
        sets, benchmarks = open_images(args.train_data, args.benchmarks, scale, lr)
        with progress() as bar:
            packed = prepare_training(
                sets,
                benchmarks,
                scale=scale,
                patch=args.patch,
                cache=args.cache,
                workers=args.workers,
                progress=shown_in(bar, stages),
                verify=args.verify,
            )
        folders = [one.folder for one in sets]
        show(
            packed,
            [*image_notes(packed.treatments, folders), *notes_of(benchmarks)],
            time.perf_counter() - started,
            fresh="packing" in stages,
        )


def show(packed: PackedSet, remarks: Sequence[str], seconds: float, *, fresh: bool) -> None:
    """Print what is in the pack, and `remarks` on its images; `fresh`: whether it was packed just now."""
    rows = [[s["name"], s["lr"], s["note"], str(s["images"])] for s in packed.sets]
    size = (packed.hr.nbytes + packed.lr.nbytes) / 1e6
    pace = f"packed in {seconds:.1f} s, {len(packed) / seconds:.0f} images/s" if fresh else "packed before"
    notes = [
        f"{len(packed)} images, {size:.0f} MB, {pace}, in {packed.folder}.",
        *remarks,
    ]
    print_table(f"Packed for x{packed.scale}", ["set", "LR", "note", "images"], rows, notes, text_columns=3)
