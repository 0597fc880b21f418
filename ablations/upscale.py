"""Enlarge images by any network: files or folders in, PNG files out; no HR is needed.

python ablations/upscale.py --model safmn --scale 4 --weights safmn_x4.pth photo.png big/photo.png
python ablations/upscale.py --model mynet.py:MyNet --weights mine.pth lr_folder sr_folder --tile 256
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Enlarge every image; status 1 where one could not be, which is named; the others are written."""
    from safmn_bench.ablations.scoring.options import upscale_arguments

    options = upscale_arguments().read(argv)
    from safmn_bench.ablations.scoring.loading import for_scoring, load
    from safmn_bench.ablations.scoring.upscaling import pairs_of, upscale_file
    from safmn_bench.models.errors import UserError
    from safmn_bench.models.names import find_candidate
    from safmn_bench.profiling.common.console import progress
    from safmn_bench.profiling.common.devices import choose_device
    from safmn_bench.profiling.common.layout import counted, say

    pairs = pairs_of(options.input, options.output)
    device = choose_device(options.device)
    loaded = load(find_candidate(options.model), options.scale, options.weights)
    network, _ = for_scoring(loaded.network, device, options.implementation)
    failed = []
    with progress() as bar:
        for source, target in bar.track(pairs, description="Enlarging"):
            try:
                for note in upscale_file(network, source, target, options.scale, device, tile=options.tile):
                    say(f"note: {source.name}: {note}", sys.stderr)
            except UserError as error:
                failed.append(source)
                say(f"error: {error}", sys.stderr)
    print(f"Written: {len(pairs) - len(failed)} of {counted(len(pairs), 'image')} to {options.output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
