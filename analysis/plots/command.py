"""From the options of figures.py to each figure: which runs, networks and images it shows."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from matplotlib.figure import Figure
from torch import nn

from safmn_bench.ablations.data.benchmarks import read_pair
from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.networks import subjects
from safmn_bench.analysis.plots import feature_maps, loss_curves, loss_differences, tradeoff, visual_comparison
from safmn_bench.analysis.plots.feature_maps import features, safm_of
from safmn_bench.analysis.plots.loss_curves import MOST_PANELS, Curve, read_curve
from safmn_bench.analysis.plots.options import AXES, FiguresOptions
from safmn_bench.analysis.plots.tradeoff_points import MEASURED, dataset_of, tradeoff_points
from safmn_bench.analysis.plots.visual_comparison import CropBox, crops_of, require_box
from safmn_bench.analysis.stats.entries import Entry, entries_from, labelled
from safmn_bench.analysis.stats.groups import BASELINE, grouped
from safmn_bench.analysis.stats.profiles import Profiles, read_profiles
from safmn_bench.analysis.stats.reading import find_runs
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.layout import say

_SMOOTHED_SHARE = 50  # a loss curve is smoothed over one 50th of its length
T = TypeVar("T")
Runs = list[tuple[RunFolder, Record]]
Curves = dict[str, list[Curve]]


def figure1(options: FiguresOptions) -> Figure:
    """Cost against PSNR: the published networks and the measured ones."""
    records = [record for _, record in find_runs(options.runs)] if options.runs else []
    return tradeoff_figure(
        records, read_profiles(options.profiles), options.scale or 2, axis=options.x, asked=options.dataset
    )


def tradeoff_figure(
    records: Sequence[Record], profiles: Profiles, scale: int, *, axis: str = "flops", asked: str | None = None
) -> Figure:
    """Figure 1 from what was read, on the dataset asked for."""
    entries = entries_from(grouped(records, scale), profiles)
    dataset = dataset_of(entries, asked)
    points = tradeoff_points(axis, entries, profiles, scale=scale, dataset=dataset)
    _say_what_is_missing(entries, dataset, sum(point.source == MEASURED for point in points))
    return tradeoff.draw(
        points, x_title=AXES[axis], y_title=f"{dataset} x{scale}, PSNR of luma [dB]", trained=budget(records, scale)
    )


def budget(records: Sequence[Record], scale: int) -> str:
    """How long the runs at a scale were, in words; nothing where there are none."""
    lengths = sorted({record.iterations for record in records if record.scale == scale})
    shown = " to ".join(f"{length:,}" for length in dict.fromkeys([*lengths[:1], *lengths[-1:]]))
    return f"{shown} iterations" if shown else ""


def _say_what_is_missing(entries: Sequence[Entry], dataset: str, measured: int) -> None:
    scored = dict.fromkeys(name for entry in entries for name in entry.scores)
    if scored and not measured:
        others = ", ".join(scored)
        print(f"Nothing measured is drawn for {dataset}; there are scores on {others} (--dataset).", file=sys.stderr)


def figure5(options: FiguresOptions) -> Figure:
    """Features of the SAFM of one block."""
    image, scale = _required(options.image, "--image FILE", 5), options.scale or 4
    ((name, network),) = _networks(options, scale, 5, torch.device("cpu"), at_most=1)
    blocks = getattr(network, "feats", None)
    block = options.block or (len(blocks) + 1) // 2 if blocks is not None else 1
    safm_of(network, block)  # refuses what has none, before the image is read
    lr = read_pair(ImageFiles(image.stem, image), scale).lr
    title = f"{name} x{scale}, block {block}, {image.stem}: mean of |features| over channels"
    return feature_maps.draw(lr, features(network, lr, block), title=title)


def figure6(options: FiguresOptions) -> Figure:
    """The same part of an image from several networks."""
    image, scale = _required(options.image, "--image FILE", 6), options.scale or 4
    box = CropBox(*_required(options.box, "--box X Y WIDTH HEIGHT", 6))
    require_box(box, image, scale)
    device = choose_device(options.device)
    networks = _networks(options, scale, 6, device)
    pair, crops = crops_of(image, box, networks, scale, device)
    return visual_comparison.draw(pair.hr, box, crops, title=f"{image.stem} x{scale}; scores of the whole image")


def figure7(options: FiguresOptions) -> dict[str, Figure]:
    """Loss curves of runs; and minus the baseline's of the same seed, where there is a baseline among the runs."""
    runs, scale = find_runs(_required(options.runs, "--runs DIR", 7)), options.scale or 4
    curves = curves_of(_chosen(runs, options, scale), scale)
    second = difference_figure(curves)
    return {"figure7": loss_figure(curves, options.smooth), **({"figure7_differences": second} if second else {})}


def loss_figure(curves: Curves, smooth: int | None = None) -> Figure:
    """Figure 7 of these runs, smoothed over so many iterations (default: a 50th of the longest)."""
    longest = max(curve.iterations[-1] for group in curves.values() for curve in group)
    return loss_curves.draw(curves, window=smooth or max(1, round(longest / _SMOOTHED_SHARE)))


def difference_figure(curves: Curves) -> Figure | None:
    """The same runs' losses minus the baseline's of the same seed; None without a baseline beside others."""
    return loss_differences.draw(curves, BASELINE)


def curves_of(runs: Runs, scale: int) -> Curves:
    """Network -> a loss curve per seed, each file read once. Raises UserError where there is none."""
    folders = {id(record): folder for folder, record in runs}
    curves: Curves = {
        name: [read_curve(folders[id(record)], record) for record in measured.records]
        for name, measured in labelled(grouped([record for _, record in runs], scale))
    }
    if not curves:
        raise UserError(f"There is no finished run at scale {scale} to draw a loss curve of. Run them again.")
    if len(curves) > MOST_PANELS:
        say(
            f"note: Figure 7 shows the first {MOST_PANELS} of {len(curves)} networks; figures --figure 7 --variants "
            "chooses others.",
            sys.stderr,
        )
    return curves


NORMS = (BASELINE, "w_o_LN", "w_o_LN_lr1e-4", "bn", "fbn", "l2_norm")
"""The variants of the paper's Figure 7: LayerNorm, without it, and what stands in its place."""


def _chosen(runs: Runs, options: FiguresOptions, scale: int) -> Runs:
    """The runs of the variants asked for, in that order. Raises UserError for one that has no run at the scale."""
    variants = options.variants
    at_scale = [run for run in runs if run[1].scale == scale]
    known = dict.fromkeys(record.variant for _, record in at_scale)
    if not known:
        raise UserError(f"There is no run at scale {scale}. Choose another --scale or --runs.")
    if options.norms:
        variants = [name for name in NORMS if name in known]
        if not set(variants) - {BASELINE}:
            raise UserError(
                f"None of {', '.join(NORMS[1:])} has a run at scale {scale}. Run them, or leave out --norms."
            )
    names = [match_name("run of variant", name, known) for name in variants or known]
    return [run for name in dict.fromkeys(names) for run in at_scale if run[1].variant == name]


def _networks(
    options: FiguresOptions, scale: int, figure: int, device: torch.device, at_most: int | None = None
) -> list[tuple[str, nn.Module]]:
    """The named networks with their weights, on the device, in evaluation mode."""
    names = _required(options.models, "--models NAME", figure)
    if at_most is not None and len(names) > at_most:
        raise UserError(f"Figure {figure} shows one network; --models has {len(names)}.")
    return [
        (subject.title, subject.network) for subject in subjects(names, options.weights, options.runs, scale, device)
    ]


def _required(value: T | None, option: str, figure: int) -> T:
    if value is None:
        raise UserError(f"Figure {figure} needs {option}.")
    return value


FIGURES: dict[int, Callable[[FiguresOptions], Figure]] = {1: figure1, 5: figure5, 6: figure6}


def draw(number: int, options: FiguresOptions) -> dict[str, Figure]:
    """Name of its files -> figure; Figure 7 has a second form, where there is a baseline."""
    return figure7(options) if number == 7 else {f"figure{number}": FIGURES[number](options)}
