"""Export a network to ONNX, and check the file in ONNX Runtime against the network.

python profiling/export.py --model safmn --scale 2 --weights safmn_x2.pth --out safmn_x2.onnx
python profiling/export.py --model carn_m --fixed --lr-size 321x181 --out carn_m_321x181.onnx
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Export, check, and write the file; status 1, and nothing written, when the check fails."""
    from safmn_bench.profiling.runtimes.options import export_arguments

    options = export_arguments().read(argv)
    import torch

    from safmn_bench.models.names import find_candidate
    from safmn_bench.models.reparameterisation import inference_form
    from safmn_bench.models.weights import load_weights
    from safmn_bench.profiling.common.files import write_atomically
    from safmn_bench.profiling.common.sample_images import photograph
    from safmn_bench.profiling.runtimes.onnx_form import (
        TOLERANCE,
        check_sizes,
        largest_difference,
        to_onnx,
        traced_shape,
    )

    torch.manual_seed(0)
    network = find_candidate(options.model).build(options.scale).eval()
    if options.weights:
        load_weights(network, options.weights)
    network = inference_form(network)
    exported = to_onnx(network, traced_shape(options, network), dynamic=not options.fixed)
    worst = 0.0
    for height, width in check_sizes(exported):
        difference = largest_difference(network, exported, photograph(height, width))
        print(f"Checked in onnxruntime at LR {width}x{height}: largest difference {difference:.1e} of a range of 1.")
        worst = max(worst, difference)
    if worst > TOLERANCE:
        print(
            f"error: {options.out} is not written: it differs by {worst:.1e}, more than {TOLERANCE}.", file=sys.stderr
        )
        return 1
    write_atomically(options.out, lambda handle: handle.write(exported.content))
    print(f"Written: {options.out}, {len(exported.content) / 2**20:.2f} MiB, {exported.exactness()}.")
    if not options.weights:
        print("Its weights are fresh ones from a fixed seed: give --weights for trained ones.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
