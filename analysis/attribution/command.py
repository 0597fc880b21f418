"""The work of lam.py: options become networks, pictures and windows; rows, figures and a summary come out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.analysis.attribution import figure as lam_figure
from safmn_bench.analysis.attribution.attribute import (
    COLUMNS,
    STUDY_GRIDS,
    SUMMARY_COLUMNS,
    Look,
    Picture,
    embedded_places,
    grid_windows,
    look,
    read_picture,
    summary,
)
from safmn_bench.analysis.attribution.methods import METHODS
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.attribution.options import LamOptions
from safmn_bench.analysis.networks import Subject, subjects
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.profiling.common.console import Lines, print_table, progress
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import csv_as_it_comes, write_csv
from safmn_bench.profiling.common.images import list_images
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.common.provenance import write_sidecar


@dataclass(frozen=True)
class Study:
    """All that is to be done, checked: every window fits its picture."""

    subjects: Sequence[Subject]
    places: Sequence[tuple[Picture, Window]]
    method: str
    steps: int
    step_batch: int | None
    device: torch.device


def prepare(options: LamOptions) -> Study:
    """Read everything that the options name. Raises UserError before any attribution for what cannot be done."""
    device = choose_device(options.device)
    places = places_of(options) if options.image else embedded_places(options.scale, STUDY_GRIDS)
    return Study(
        subjects=subjects(options.models, options.weights, options.runs, options.scale, device),
        places=places,
        method=match_name("method", options.method, METHODS, "Choose one with --method."),
        steps=options.steps,
        step_batch=options.step_batch,
        device=device,
    )


def places_of(options: LamOptions) -> list[tuple[Picture, Window]]:
    """The windows asked for of each of the images. Raises UserError for what is no image, and a window outside."""
    files = image_files(options.image)
    names = distinct_names(files)
    pictures = [replace(read_picture(file, options.scale), name=name) for file, name in zip(files, names, strict=True)]
    return [(picture, window) for picture in pictures for window in windows_of(picture, options)]


def image_files(given: Sequence[Path]) -> list[Path]:
    """The files, folders replaced by the images in them. Raises UserError for a folder without images."""
    files: list[Path] = []
    for path in given:
        images = list_images(path) if path.is_dir() else [path]
        if not images:
            raise UserError(f"--image {path} holds no images. Give image files, or a folder of them.")
        files += images
    return files


def distinct_names(files: Sequence[Path]) -> list[str]:
    """The files' names, with as many folders before them as it takes to tell them apart."""
    for folders in range(1, max((len(file.absolute().parts) for file in files), default=1)):
        names = ["/".join(file.absolute().parts[-folders:]) for file in files]
        if len(set(names)) == len(set(file.absolute() for file in files)):
            return names
    return [str(file.absolute()) for file in files]


def windows_of(picture: Picture, options: LamOptions) -> list[Window]:
    """The windows that --window or --grid ask for. Raises UserError where one leaves the picture."""
    if options.grid:
        return grid_windows(picture, *options.grid)
    height, width = picture.hr.shape[:2]
    windows = [Window(*given) for given in options.window]
    for window in windows:
        window.require_inside(height, width, picture.name)
    return windows


def carry_out(study: Study, options: LamOptions) -> list[dict[str, Any]]:
    """Attribute everything, with a progress bar over path steps; write figures as they come; returns the rows."""
    if study.device.type == "cpu":
        keep_freed_memory()
    rows = []
    total = len(study.places) * len(study.subjects) * study.steps
    lines = Lines("Path steps done", total)
    with progress() as bar, csv_as_it_comes(options.out / "lam.csv", COLUMNS) as add:
        task = bar.add_task("Attributing", total=total)

        def advance(steps: int) -> None:
            bar.advance(task, steps)
            lines.advance(steps)

        for picture, window in study.places:
            looks = [
                look(
                    subject, picture, window, method=study.method, steps=study.steps, device=study.device,
                    step_batch=study.step_batch, advance=advance,
                )
                for subject in study.subjects
            ]  # fmt: skip
            for row in (attributed.row() for attributed in looks):
                rows.append(row)
                add(row)
            if not options.no_figures:
                figure = lam_figure.draw(looks, views=options.views, blend=options.blend)
                lam_figure.save(figure, options.out / figure_name(looks[0]))
    weights = {f"weights of {subject.title}": subject.file for subject in study.subjects if subject.file}
    write_sidecar(options.out / "lam.csv", "analysis/lam.py", options.typed, str(study.device), weights)
    return rows


def figure_name(attributed: Look) -> str:
    """The file's name without suffix: method, image (with the folders that tell it apart), scale, window."""
    window = attributed.window
    image = "_".join(Path(attributed.picture.name).with_suffix("").parts)
    return f"{attributed.method}_{image}_x{attributed.picture.scale}_{window.x}_{window.y}_{window.size}"


def report(rows: Sequence[dict[str, Any]], options: LamOptions) -> None:
    """Write lam_summary.csv, and print the summary."""
    lines = summary(rows)
    write_csv(options.out / "lam_summary.csv", SUMMARY_COLUMNS, lines)
    cells = [
        [
            line["model"], f"{line['maps']} on {counted(line['images'], 'image')}",
            *(_two(line[key]) for key in ("di_mean", "di_sd", "di_min", "di_max")),
            _percent(line["mean_abs_completeness_gap"]),
        ]
        for line in lines
    ]  # fmt: skip
    notes = [
        "DI: 100 where every LR pixel counts the same, near 0 where few count for all; it depends on the image's size "
        "and much on the window, so compare networks on the same windows only. sd: over images and windows.",
        f"Gap: what the {rows[0]['steps']} steps miss of F(x) - F(x_0), mean of absolute values.",
        f"Written to {options.out}: lam.csv, lam_summary.csv"
        + ("" if options.no_figures else ", figures (PNG, PDF)")
        + ".",
    ]
    if empty := sum(line["without_di"] for line in lines):
        notes.append(f"{empty} of {len(rows)} maps are zero everywhere (a flat window) and have no DI.")
    header = ["model", "maps", "DI mean", "sd", "min", "max", "gap"]
    print_table(f"{METHODS[rows[0]['method']].text}, x{rows[0]['scale']}", header, cells, notes, text_columns=2)


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
