"""The options of export.py: which network, in a file of one LR size or of many."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import LR_SIZE, SCALES, Options, Parser, lr_size, output_file


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of export.py. Raises UserError for a file of another name, or a size of a file of many sizes."""

    model: str = "safmn"
    scale: int = 4
    weights: Path | None = None
    fixed: bool = False
    lr_size: str | None = None
    """Of a fixed file; None: LR_SIZE."""
    out: Path

    def __post_init__(self) -> None:
        if self.out.suffix != ".onnx":
            raise UserError(f"--out {self.out}: the name of an ONNX file ends in .onnx.")
        if self.lr_size and not self.fixed:
            raise UserError(
                "--lr-size is for a file of one size: add --fixed, or leave it out for a file of many sizes."
            )
        lr_size(self.lr_size or LR_SIZE)


def export_arguments() -> Parser[ExportOptions]:
    """The command line of export.py."""
    parser = Parser(ExportOptions, prog="export", description="Export a network to ONNX and check it.")
    parser.add_argument("--model", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="trained weights (default: fresh, fixed seed)")
    parser.add_argument("--fixed", action="store_true", help="this LR size only; exact at any size")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels of a fixed file (default: 320x180)")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE", help="the .onnx file")
    return parser
