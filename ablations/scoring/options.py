"""The options of evaluate.py and upscale.py: whose weights are scored, on which benchmarks, and what is written."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.data.options import LROptions, add_lr_options
from safmn_bench.ablations.metrics import METRICS, further_metrics, metrics_in
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Options, Parser, output_file, output_folder

GREY_CONVENTIONS = {
    "luma": "greyscale files as RGB, scored on luma like the others (as published network rows)",
    "plane": "greyscale files scored on their plane, 0-255 (as published bicubic rows)",
}
FORMS = ("auto", "eager", "fast", "native")
"""Of a network that enlarges (scoring/loading.py): the fastest that is known to score alike, or one of latency.py's."""
FEW_IMAGES = 20  # up to which each has its row on the terminal


@dataclass(frozen=True, kw_only=True)
class ScoringOptions(LROptions):
    """Options of every command that scores. Raises UserError for an unknown metric."""

    metrics: tuple[str, ...] = ()
    """Scored beside the standard ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        further_metrics(self.metrics)


UNTRAINED = "-"


def weight_files(models: Sequence[str], given: Sequence[str], option: str = "--weights") -> list[Path | None]:
    """The file of each network, None for UNTRAINED; none given: all untrained. Raises UserError for another number."""
    if given and len(given) != len(models):
        raise UserError(
            f"{option} has {len(given)} entries for {len(models)} networks ({', '.join(models)}). Give one for each, "
            "in their order: a file, or - for one that has none."
        )
    return [None if file == UNTRAINED else Path(file) for file in given or (UNTRAINED,) * len(models)]


def add_metrics_option(parser: argparse.ArgumentParser) -> None:
    """Add --metrics."""
    further = [metric for metric in METRICS.values() if not metric.standard]
    standard = " and ".join(metric.label for metric in metrics_in([]))
    parser.add_argument(
        "--metrics", nargs="+", metavar="NAME",
        help=f"score these too, beside {standard}: {', '.join(f'{m.name} ({m.definition})' for m in further)}",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ScoringOptions):
    """Options of evaluate.py."""

    model: str
    scale: int = 4
    weights: Path | None = None
    benchmarks: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    grey: str = "luma"
    csv: Path | None = None
    save_images: Path | None = None
    per_image: bool = False
    device: str = "auto"
    tile: int | None = None
    self_ensemble: bool = False
    crop_multiple: int | None = None
    """Of HR; None: the scale."""
    implementation: str = "auto"


def arguments() -> Parser[EvaluateOptions]:
    """The command line of evaluate.py."""
    parser = Parser(
        EvaluateOptions, prog="evaluate",
        description="Score weights, or plain bicubic, on benchmarks: PSNR and SSIM on luma.",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="NAME", help="model, variant, YAML file, or bicubic")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights to score; none for bicubic")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR",
        help="folders with HR/ (and LR_bicubic/X4/), or with images (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument(
        "--grey", choices=tuple(GREY_CONVENTIONS),
        help="; ".join(f"{name}: {what}" for name, what in GREY_CONVENTIONS.items()) + " (default: %(default)s)",
    )  # fmt: skip
    add_metrics_option(parser)
    parser.add_argument(
        "--csv", type=output_file, metavar="FILE",
        help="write scores of every image, and means, here, and how they were made to FILE.json",
    )  # fmt: skip
    parser.add_argument(
        "--save-images", type=output_folder, metavar="DIR", help="write SR images to DIR/<benchmark>/<image>.png"
    )
    parser.add_argument("--per-image", action="store_true", help=f"print every image, not only up to {FEW_IMAGES}")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument(
        "--tile", type=int, metavar="PX",
        help="score larger images in tiles of PX LR pixels, a multiple of 8 (default: only what memory does not hold)",
    )  # fmt: skip
    parser.add_argument(
        "--self-ensemble", action="store_true",
        help='average over the eight flips and rotations of LR: the rows that papers mark with a "+"; 8 times the time',
    )  # fmt: skip
    parser.add_argument(
        "--crop-multiple", type=int, metavar="N",
        help="crop HR to a multiple of N (12: one HR image for the scales 2, 3 and 4; default: of the scale)",
    )  # fmt: skip
    add_implementation_option(parser)
    add_lr_options(parser)
    return parser


def add_implementation_option(parser: argparse.ArgumentParser) -> None:
    """Add --implementation."""
    parser.add_argument(
        "--implementation", choices=FORMS,
        help="auto: the fast form where there is one, on a CPU; eager: as written; fast; native: SAFMN as one C++ "
        "function on a CPU, compiled at first use (default: %(default)s)",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UpscaleOptions(Options):
    """Options of upscale.py."""

    input: Path
    output: Path
    model: str = "safmn"
    scale: int = 4
    weights: Path | None = None
    tile: int | None = None
    device: str = "auto"
    implementation: str = "auto"


def upscale_arguments() -> Parser[UpscaleOptions]:
    """The command line of upscale.py."""
    parser = Parser(UpscaleOptions, prog="upscale", description="Enlarge images by a network.")
    parser.add_argument("input", type=Path, metavar="IN", help="a PNG, JPEG, BMP or TIFF file, or a folder of them")
    parser.add_argument("output", type=Path, metavar="OUT", help="a .png file, or a folder")
    parser.add_argument("--model", metavar="NAME", help="model, variant, YAML file or FILE.py:Class")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="its weights; none for bicubic")
    parser.add_argument("--tile", type=int, metavar="PX", help="tiles of PX LR pixels (default: where memory asks)")
    parser.add_argument("--device", help=DEVICE_HELP)
    add_implementation_option(parser)
    return parser
