"""What evaluate.py does: a network or bicubic, its weights, benchmarks; tables, CSV rows and images come out."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from safmn_bench.ablations.data.benchmarks import Benchmark, cropped, embedded_validation
from safmn_bench.ablations.data.lr_options import add_lr_options, lr_choice, notes_of, open_images
from safmn_bench.ablations.data.pair_check import check_sample
from safmn_bench.ablations.metrics import METRICS, further_metrics, metrics_in
from safmn_bench.ablations.scoring.score import GREY_CONVENTIONS, Protocol, Scores, Watch, protocol_of, score
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.console import print_table, progress
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import require_writable, write_csv
from safmn_bench.profiling.common.images import write_png
from safmn_bench.profiling.common.provenance import write_sidecar

COLUMNS = ("model", "scale", "weights", "dataset", "image")  # and a column per metric
_FEW = 20  # images up to which each has its row on the terminal


def arguments() -> argparse.ArgumentParser:
    """The options of evaluate.py."""
    parser = argparse.ArgumentParser(
        prog="evaluate", description="Score weights, or plain bicubic, on benchmarks: PSNR and SSIM on luma."
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="model, variant, YAML file, or bicubic")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights to score; none for bicubic")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", default=[], metavar="DIR",
        help="folders with HR/ (and LR_bicubic/X4/), or with images (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument(
        "--grey", default="luma", choices=tuple(GREY_CONVENTIONS),
        help="; ".join(f"{name}: {what}" for name, what in GREY_CONVENTIONS.items()) + " (default: %(default)s)",
    )  # fmt: skip
    add_metrics_option(parser)
    parser.add_argument(
        "--csv", type=Path, metavar="FILE",
        help="write scores of every image, and means, here, and how they were made to FILE.json",
    )  # fmt: skip
    parser.add_argument(
        "--save-images", type=Path, metavar="DIR", help="write SR images to DIR/<benchmark>/<image>.png"
    )
    parser.add_argument("--per-image", action="store_true", help=f"print every image, not only up to {_FEW}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
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
    add_lr_options(parser)
    return parser


def add_metrics_option(parser: argparse.ArgumentParser) -> None:
    """--metrics, of every command that scores."""
    further = [metric for metric in METRICS.values() if not metric.standard]
    standard = " and ".join(metric.label for metric in metrics_in([]))
    parser.add_argument(
        "--metrics", nargs="+", default=[], metavar="NAME",
        help=f"score these too, beside {standard}: {', '.join(f'{m.name} ({m.definition})' for m in further)}",
    )  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """What is scored: its name in tables, its weight file as given, and how a benchmark is scored with it."""

    model: str
    weights: str
    picked: str
    caveats: Sequence[str]
    score: Callable[[Benchmark, Protocol, Watch], Scores]


def evaluate(args: argparse.Namespace, options: Sequence[str]) -> None:
    """Score, print and write what the options ask for. Raises UserError before any scoring for what cannot be done.

    `options`: the same as they were typed, for the provenance beside the CSV.
    """
    further = further_metrics(args.metrics)
    require_writable(args.csv)
    device = choose_device(args.device)
    subject = subject_of(args, device)
    lr = lr_choice(args.lr, args.lr_pattern, is_not_bicubic=args.lr_is_not_bicubic)
    benchmarks = open_images(None, args.benchmarks, args.scale, lr)[1] or [embedded_validation(args.scale)]
    for benchmark in benchmarks:
        check_sample(benchmark.items, benchmark.scale)
    if args.crop_multiple is not None:
        benchmarks = [cropped(benchmark, args.crop_multiple) for benchmark in benchmarks]
    protocol = protocol_of(benchmarks, args.scale, args.grey, further)
    protocol = replace(protocol, self_ensemble=args.self_ensemble, crop_multiple=args.crop_multiple)
    scores = score_all(subject, benchmarks, protocol, args.save_images)
    show(subject, benchmarks, scores, protocol, per_image=args.per_image)
    if args.csv:
        further = ["conventions"] if protocol.conventions else []
        columns = (*COLUMNS, *(metric.name for metric in protocol.metrics), *further)
        write_csv(args.csv, columns, csv_rows(subject, protocol, scores))
        files = {"weights": args.weights} if args.weights else {}
        write_sidecar(args.csv, "ablations/evaluate.py", options, str(device), files)


def subject_of(args: argparse.Namespace, device: torch.device) -> Scored:
    """The network that --model, --scale and --weights name, loaded, or bicubic."""
    candidate = find_candidate(args.model)
    name = candidate.name
    network: nn.Module = candidate.build(args.scale)
    picked = ""
    if not any(True for _ in network.parameters()):
        if args.weights:
            raise UserError(f"{name} has no weights; leave out --weights {args.weights}.")
    elif args.weights is None and candidate.own is not None and candidate.own.trained:
        picked = "which bring their network"
    elif args.weights is None:
        raise UserError(f"{name} needs --weights FILE: with fresh weights its scores would mean nothing.")
    else:
        picked = load_weights(network, args.weights).picked
    network = inference_form(network).to(device)

    def run(benchmark: Benchmark, protocol: Protocol, watch: Watch) -> Scores:
        return score(network, benchmark, protocol, device, tile=args.tile, watch=watch)

    return Scored(name, str(args.weights or ""), picked, caveats_of(network), run)


def score_all(
    subject: Scored, benchmarks: Sequence[Benchmark], protocol: Protocol, save_to: Path | None
) -> list[Scores]:
    """Score each benchmark, with a progress bar, writing SR images if asked."""
    scores = []
    with progress() as bar:
        for benchmark in benchmarks:
            task = bar.add_task(benchmark.name, total=len(benchmark.items))

            def watch(name: str, sr: torch.Tensor, dataset: str = benchmark.name, task: Any = task) -> None:
                if save_to is not None:
                    write_png(save_to / dataset / f"{name}.png", sr)
                bar.advance(task)

            scores.append(subject.score(benchmark, protocol, watch))
    return scores


def show(
    subject: Scored, benchmarks: Sequence[Benchmark], scores: Sequence[Scores], protocol: Protocol, *, per_image: bool
) -> None:
    """Print the table, and under it the protocol and everything else that decides the figures."""
    everything = per_image or sum(len(one.images) for one in scores) <= _FEW
    rows = []
    for one in scores:
        named = [(image.name, image.values) for image in one.images] if everything else []
        for name, values in [*named, (one.mean_of, one.means)]:
            rows.append([one.dataset, name, *(f"{values[m.name]:.{m.digits.image}f}" for m in protocol.metrics)])
    notes = [protocol.text]
    if subject.weights:
        notes.append(f"Weights: {subject.weights}, {subject.picked}.")
    origins = {
        origin: [b.name for b in benchmarks if b.lr_origin == origin] for origin in {b.lr_origin for b in benchmarks}
    }
    notes += [f"{', '.join(names)}: {origin}." for origin, names in sorted(origins.items())]
    notes += [*notes_of(benchmarks), *(note for one in scores for note in one.notes)]
    notes += subject.caveats
    title = f"{subject.model} x{protocol.scale}"
    header = ["dataset", "image", *(metric.heading(metric.label) for metric in protocol.metrics)]
    print_table(title, header, rows, notes, text_columns=2)


def csv_rows(subject: Scored, protocol: Protocol, scores: Sequence[Scores]) -> list[dict[str, Any]]:
    """A row per image, then one with image `mean` per dataset; figures are not rounded, an infinite PSNR is `inf`."""
    fixed = {"model": subject.model, "scale": protocol.scale, "weights": subject.weights}
    if protocol.conventions:
        fixed["conventions"] = protocol.conventions
    rows = []
    for one in scores:
        for name, values in [*((image.name, image.values) for image in one.images), ("mean", one.means)]:
            figures = {metric: value if math.isfinite(value) else "inf" for metric, value in values.items()}
            rows.append({**fixed, "dataset": one.dataset, "image": name, **figures})
    return rows
