"""Export a network to ONNX, and check the file in ONNX Runtime against the network.

python profiling/export.py --model safmn --scale 2 --weights safmn_x2.pth --out safmn_x2.onnx
python profiling/export.py --model carn_m --fixed --lr-size 321x181 --out carn_m_321x181.onnx
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import torch
from torch import nn

from safmn_bench.models.names import find_candidate
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.files import write_atomically
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.timing.forms import lr_size
from safmn_bench.profiling.timing.onnx_form import TOLERANCE, Exported, largest_difference, size_multiple, to_onnx


@command
def main(argv: list[str] | None = None) -> int:
    """Export, check, and write the file; status 1, and nothing written, when the check fails."""
    args = _parser().parse_args(argv)
    if args.out.suffix != ".onnx":
        raise UserError(f"--out {args.out}: the name of an ONNX file ends in .onnx.")
    torch.manual_seed(0)
    network = find_candidate(args.model).build(args.scale).eval()
    if args.weights:
        load_weights(network, args.weights)
    network = inference_form(network)
    exported = to_onnx(network, _shape(args, network), dynamic=not args.fixed)
    worst = 0.0
    for height, width in check_sizes(exported):
        difference = largest_difference(network, exported, photograph(height, width))
        print(f"Checked in onnxruntime at LR {width}x{height}: largest difference {difference:.1e} of a range of 1.")
        worst = max(worst, difference)
    if worst > TOLERANCE:
        print(f"error: {args.out} is not written: it differs by {worst:.1e}, more than {TOLERANCE}.", file=sys.stderr)
        return 1
    write_atomically(args.out, lambda handle: handle.write(exported.content))
    print(f"Written: {args.out}, {len(exported.content) / 2**20:.2f} MiB, {exported.exactness()}.")
    if not args.weights:
        print("Its weights are fresh ones from a fixed seed: give --weights for trained ones.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="export", description="Export a network to ONNX and check it.")
    parser.add_argument("--model", default="safmn", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="trained weights (default: fresh, fixed seed)")
    parser.add_argument("--fixed", action="store_true", help="this LR size only; exact at any size")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels of a fixed file (default: 320x180)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .onnx file")
    return parser


def _shape(args: argparse.Namespace, network: nn.Module) -> tuple[int, int, int, int]:
    """The LR shape that is traced. Raises UserError for a size of a file that takes several."""
    if args.fixed:
        width, height = lr_size(args.lr_size or "320x180")
        return 1, 3, height, width
    if args.lr_size:
        raise UserError("--lr-size is for a file of one size: add --fixed, or leave it out for a file of many sizes.")
    multiple = size_multiple(network)
    return 1, 3, 5 * max(multiple, 8), 6 * max(multiple, 8)


def check_sizes(exported: Exported) -> list[tuple[int, int]]:
    """LR sizes (height, width) at which a file is checked: its own, and where it takes any, odd and even ones too."""
    own = (exported.shape[-2], exported.shape[-1])
    if exported.multiple is None:
        return [own]
    step = exported.multiple
    return [own, (3 * max(step, 8), 4 * max(step, 8)), *([(9 * step, 7 * step)] if step > 1 else [(37, 53), (31, 16)])]


if __name__ == "__main__":
    sys.exit(main())
