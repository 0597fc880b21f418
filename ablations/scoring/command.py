"""The work of evaluate.py: a network or bicubic, its weights, benchmarks; tables, CSV rows and images come out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.benchmarks import Benchmark, cropped, embedded_validation
from safmn_bench.ablations.data.pair_check import check_sample
from safmn_bench.ablations.data.preflight import lr_choice, notes_of, open_images
from safmn_bench.ablations.metrics import further_metrics
from safmn_bench.ablations.scoring.loading import FAST, NATIVE, PLAIN, for_scoring, load
from safmn_bench.ablations.scoring.options import FEW_IMAGES, EvaluateOptions
from safmn_bench.ablations.scoring.score import ImageScore, Protocol, Scores, Watch, protocol_of, score
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.common.console import Lines, print_table, progress
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import csv_as_it_comes
from safmn_bench.profiling.common.images import write_png
from safmn_bench.profiling.common.places import require_writable
from safmn_bench.profiling.common.provenance import write_sidecar

_FORM_NOTES = {
    FAST: ["Scored in its fast form (models/fast.py): the means of the network as written are within 1e-5 dB."],
    NATIVE: ["Scored in its native form (models/native/): the means of the network as written are within 1e-4 dB."],
}
COLUMNS = ("model", "scale", "weights", "dataset", "image")  # and a column per metric


@dataclass(frozen=True)
class Scored:
    """A network or bicubic: its name in tables, its weight file as given, and how a benchmark is scored with it."""

    model: str
    weights: str
    picked: str
    caveats: Sequence[str]
    score: Callable[[Benchmark, Protocol, Watch], Scores]
    form: str = PLAIN
    """The form of the network that is scored (`loading.for_scoring`)."""


def evaluate(options: EvaluateOptions) -> None:
    """Score, print and write what the options ask for. Raises UserError before any scoring for what cannot be done."""
    further = further_metrics(options.metrics)
    require_writable(options.csv)
    device = choose_device(options.device)
    subject = subject_of(options, device)
    lr = lr_choice(options)
    benchmarks = open_images(None, options.benchmarks, options.scale, lr)[1] or [embedded_validation(options.scale)]
    for benchmark in benchmarks:
        check_sample(benchmark.items, benchmark.scale)
    if options.crop_multiple is not None:
        benchmarks = [cropped(benchmark, options.crop_multiple) for benchmark in benchmarks]
    protocol = protocol_of(benchmarks, options.scale, options.grey, further)
    protocol = replace(protocol, self_ensemble=options.self_ensemble, crop_multiple=options.crop_multiple)
    conventions = ["conventions"] if protocol.conventions else []
    columns = (*COLUMNS, *(metric.name for metric in protocol.metrics), *conventions)
    with csv_as_it_comes(options.csv, columns) as add:
        scores = score_all(subject, benchmarks, protocol, options.save_images, add)
    show(subject, benchmarks, scores, protocol, per_image=options.per_image)
    if options.csv:
        files = {"weights": options.weights} if options.weights else {}
        write_sidecar(options.csv, "ablations/evaluate.py", options.typed, str(device), files, form=subject.form)


def subject_of(options: EvaluateOptions, device: torch.device) -> Scored:
    """The network that --model, --scale and --weights name, loaded, or bicubic."""
    loaded = load(find_candidate(options.model), options.scale, options.weights)
    network, form = for_scoring(loaded.network, device, options.implementation)

    def run(benchmark: Benchmark, protocol: Protocol, watch: Watch) -> Scores:
        return score(network, benchmark, protocol, device, tile=options.tile, watch=watch)

    return Scored(loaded.candidate.name, loaded.weights, loaded.picked, caveats_of(network), run, form)


def score_all(
    subject: Scored,
    benchmarks: Sequence[Benchmark],
    protocol: Protocol,
    save_to: Path | None,
    add: Callable[[dict[str, Any]], None],
) -> list[Scores]:
    """Score each benchmark with a progress bar; SR images, if asked for, and CSV rows are written as they come."""
    scores = []
    lines = Lines("Scored", sum(len(benchmark.items) for benchmark in benchmarks))
    with progress() as bar:
        for benchmark in benchmarks:
            task = bar.add_task(benchmark.name, total=len(benchmark.items))

            def watch(image: ImageScore, sr: torch.Tensor, dataset: str = benchmark.name, task: Any = task) -> None:
                if save_to is not None:
                    write_png(save_to / dataset / f"{image.name}.png", sr)
                add(csv_row(subject, protocol, dataset, image.name, image.values))
                bar.advance(task)
                lines.advance(about=f"{dataset}/{image.name}")

            scores.append(subject.score(benchmark, protocol, watch))
            add(csv_row(subject, protocol, benchmark.name, "mean", scores[-1].means))
    return scores


def show(
    subject: Scored, benchmarks: Sequence[Benchmark], scores: Sequence[Scores], protocol: Protocol, *, per_image: bool
) -> None:
    """Print the table, and under it the protocol and everything else that decides the figures."""
    everything = per_image or sum(len(scored.images) for scored in scores) <= FEW_IMAGES
    rows = []
    for scored in scores:
        named = [(image.name, image.values) for image in scored.images] if everything else []
        for name, values in [*named, (scored.mean_of, scored.means)]:
            rows.append([scored.dataset, name, *(f"{values[m.name]:.{m.digits.image}f}" for m in protocol.metrics)])
    notes = [protocol.text]
    if subject.weights:
        notes.append(f"Weights: {subject.weights}, {subject.picked}.")
    origins = {
        origin: [b.name for b in benchmarks if b.lr_origin == origin] for origin in {b.lr_origin for b in benchmarks}
    }
    notes += [f"{', '.join(names)}: {origin}." for origin, names in sorted(origins.items())]
    notes += [*notes_of(benchmarks), *(note for scored in scores for note in scored.notes)]
    notes += subject.caveats
    notes += _FORM_NOTES.get(subject.form, ())
    title = f"{subject.model} x{protocol.scale}"
    header = ["dataset", "image", *(metric.heading(metric.label) for metric in protocol.metrics)]
    print_table(title, header, rows, notes, text_columns=2)


def csv_row(
    subject: Scored, protocol: Protocol, dataset: str, image: str, values: Mapping[str, float]
) -> dict[str, Any]:
    """The row of one image, or of a dataset's `mean`; figures are not rounded, an infinite PSNR is `inf`."""
    figures = {metric: value if math.isfinite(value) else "inf" for metric, value in values.items()}
    row = {
        "model": subject.model,
        "scale": protocol.scale,
        "weights": subject.weights,
        "dataset": dataset,
        "image": image,
    }
    return {**row, **figures, **({"conventions": protocol.conventions} if protocol.conventions else {})}
