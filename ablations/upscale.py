"""Enlarge images by any network: files or folders in, PNG files out; no HR is needed.

python ablations/upscale.py --model safmn --scale 4 --weights safmn_x4.pth photo.png big/photo.png
python ablations/upscale.py --model mynet.py:MyNet --weights mine.pth lr_folder sr_folder --tile 256
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.ablations.scoring.upscaling import loaded, upscale_file
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.common.console import progress
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.images import list_images


@command
def main(argv: list[str] | None = None) -> int:
    """Enlarge every image; status 1 where one could not be, which is named; the others are written."""
    args = _parser().parse_args(argv)
    pairs = _pairs(args.input, args.output)
    device = choose_device(args.device)
    network = loaded(find_candidate(args.model), args.scale, args.weights, device)
    failed = []
    with progress() as bar:
        for source, target in bar.track(pairs, description="Enlarging"):
            try:
                for note in upscale_file(network, source, target, args.scale, device, tile=args.tile):
                    print(f"note: {source.name}: {note}", file=sys.stderr)
            except UserError as error:
                failed.append(source)
                print(f"error: {error}", file=sys.stderr)
    print(f"Written: {len(pairs) - len(failed)} of {len(pairs)} images to {args.output}")
    return 1 if failed else 0


def _pairs(given: Path, output: Path) -> list[tuple[Path, Path]]:
    """Every image and where it goes. Raises UserError for a folder without images, and for files that would collide."""
    if not given.is_dir():
        return [(given, output / f"{given.stem}.png" if output.is_dir() else output)]
    images = list_images(given)
    if not images:
        raise UserError(f"{given} holds no images. Give an image file, or a folder of them.")
    if output.is_file():
        raise UserError(f"{output} is a file; for a folder of images give a folder.")
    targets: dict[Path, Path] = {}
    for image in images:
        target = output / f"{image.stem}.png"
        if (other := targets.get(target)) is not None:
            raise UserError(f"{other.name} and {image.name} would both become {target}. Rename one of them.")
        targets[target] = image
    return [(image, target) for target, image in targets.items()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="upscale", description="Enlarge images by a network.")
    parser.add_argument("input", type=Path, metavar="IN", help="an image of any kind, or a folder of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="a .png file, or a folder")
    parser.add_argument("--model", default="safmn", metavar="NAME", help="model, variant, YAML file or FILE.py:Class")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="its weights; none for bicubic")
    parser.add_argument("--tile", type=int, metavar="PX", help="tiles of PX LR pixels (default: where memory asks)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
