"""The cost of a network on given images, beside the most that images of their size can cost.

For most networks the two are equal. A dynamic one (SMSR) computes what the image needs: its pass in evaluation mode is
traced on the image itself, so that what is counted is what was computed. The published figure of such a network is a
share of the dense bound at 1280x720, averaged over a test set; the share is what is carried over here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import Candidate
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.images import read_image
from safmn_bench.profiling.counting.flops import complexity, count, count_on, counted_at
from safmn_bench.profiling.counting.options import ComplexityOptions

COLUMNS = ("model", "scale", "weights", "image", "lr_height", "lr_width", "flops", "dense_flops")


@dataclass(frozen=True)
class ImageCost:
    """FLOPs (MACs) of one LR image: what was spent, and the dense bound at its size."""

    image: str
    lr_height: int
    lr_width: int
    flops: int
    dense_flops: int

    @property
    def share(self) -> float:
        """Spent, as a part of the dense bound."""
        return self.flops / self.dense_flops if self.dense_flops else 1.0


def report_images(options: ComplexityOptions) -> None:
    """Measure, print and write what --models, --scale, --weights and --images ask for."""
    candidate, scale = find_candidate(options.models[0]), options.scale or 4
    network = candidate.build(scale).eval()
    weights = "fresh weights, whose masks mean nothing"
    if options.weights:
        weights = f"{options.weights}, {load_weights(network, options.weights).picked}"
    with console.progress() as bar:
        costs = [image_cost(network, path) for path in bar.track(options.images, description="Counting")]
    show(candidate, scale, costs, weights)
    if options.csv:
        fixed = {"model": candidate.name, "scale": scale, "weights": str(options.weights or "")}
        write_csv(options.csv, COLUMNS, [fixed | vars(cost) for cost in costs])


def image_cost(network: nn.Module, path: Path) -> ImageCost:
    """The cost of the network, in evaluation mode, on an LR image file. Raises UserError where it cannot be read."""
    lr = read_image(path).rgb.unsqueeze(0).float() / 255.0
    height, width = lr.shape[-2:]
    dense = count(*counted_at(network, height, width)).flops
    spent = count_on(network, lr).flops if getattr(network, "dynamic", False) else dense
    return ImageCost(path.name, height, width, spent, dense)


def show(candidate: Candidate, scale: int, costs: Sequence[ImageCost], weights: str) -> None:
    """Print a row per image and the mean share, also as FLOPs at 1280x720."""
    rows = [
        [c.image, f"{c.lr_width}x{c.lr_height}", console.giga(c.flops), console.giga(c.dense_flops), f"{c.share:.1%}"]
        for c in costs
    ]
    mean = sum(cost.share for cost in costs) / len(costs)
    bound = complexity(candidate, scale).flops
    rows.append(
        [f"mean of {len(costs)}", "HR 1280x720", console.giga(round(mean * bound)), console.giga(bound), f"{mean:.1%}"]
    )
    header = ["image", "LR size", "FLOPs (MACs) [G]", "dense bound [G]", "share"]
    notes = [f"Weights: {weights}.", "The last row is the mean share of the dense bound at 1280x720."]
    console.print_table(f"{candidate.name} x{scale}: FLOPs on images", header, rows, notes, text_columns=2)
