"""The work of inside.py: fields over noise and photographs, spectra of every block and of the error, as rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from safmn_bench.analysis.attribution.command import image_files
from safmn_bench.analysis.attribution.diffusion_index import Map
from safmn_bench.analysis.attribution.options import InsideOptions
from safmn_bench.analysis.attribution.receptive_field import SHARES, receptive_field, sides_at
from safmn_bench.analysis.attribution.spectrum import Spectrum, blocks_of, held_by, mean_spectrum, radial_spectrum
from safmn_bench.analysis.networks import Subject, subjects
from safmn_bench.models.color import luma
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.console import Lines, print_table
from safmn_bench.profiling.common.devices import choose_device, full_precision
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.images import read_image
from safmn_bench.profiling.common.sample_images import VALIDATION, embedded_paths

FIELD_COLUMNS = ("model", "scale", "weights", "inputs", "count", "size_px", "share", "side_px", "area")
SPECTRUM_COLUMNS = (*("model", "scale", "weights", "of", "pictures", "frequency", "power", "power_low", "power_high"),)
ERROR, TARGET = "error", "HR"


@dataclass(frozen=True)
class Inside:
    """What was seen of one network."""

    subject: Subject
    fields: dict[str, Map]
    """"noise" and "photographs" -> the field, (size, size)."""
    features: dict[str, Spectrum]
    """Block -> the spectrum of what it puts out, by cycles per LR pixel."""
    error: Spectrum
    """Of luma of SR - HR, of a range of 1, by cycles per SR pixel."""


@dataclass(frozen=True)
class Seen:
    """All networks, on the same inputs."""

    networks: Sequence[Inside]
    target: Spectrum
    """Of luma of HR."""
    pictures: Sequence[str]
    noise: int
    scale: int
    size: int


def look_inside(options: InsideOptions) -> Seen:
    """Look into every network. Raises UserError before that for a wrong name, file or size."""
    device = choose_device(options.device)
    pairs = pairs_of(options, device)
    networks = subjects(options.models, options.weights, options.runs, options.scale, device)
    lines = Lines("Networks looked into", len(networks))
    return seen_of(networks, pairs, options, lambda title: lines.advance(about=title))


def seen_of(
    networks: Sequence[Subject],
    pairs: "Pairs",
    options: InsideOptions,
    tell: Callable[[str], object] = lambda title: None,
) -> Seen:
    """Look into networks that are loaded, on the pairs' device; `tell` hears the title of each that is done."""
    size, generator = options.size, torch.Generator().manual_seed(0)
    device = next(iter(pairs.values()))[0].device
    noise = [torch.rand(1, 3, size, size, generator=generator).to(device) for _ in range(options.inputs)]
    seen = []
    for subject in networks:
        with full_precision():
            seen.append(_seen(subject, noise, pairs))
        tell(subject.title)
    target = mean_spectrum([radial_spectrum(_luma(hr)) for _, hr in pairs.values()])
    return Seen(seen, target, list(pairs), len(noise), options.scale, size)


Pairs = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Name of a picture -> LR (1, 3, size, size) and HR (1, 3, scale size, scale size) in [0, 1]."""


def pairs_of(options: InsideOptions, device: torch.device) -> Pairs:
    """The middle of every picture. Raises UserError for one that is given and too small."""
    side = options.size * options.scale
    pairs: Pairs = {}
    for path in image_files(options.image) or embedded_paths(VALIDATION):
        rgb = read_image(path).rgb
        top, left = ((length - side) // 2 for length in rgb.shape[1:])
        if min(top, left) < 0:
            if options.image:
                raise UserError(
                    f"{path} is {rgb.shape[2]}x{rgb.shape[1]} pixels; --size {options.size} at x{options.scale} needs "
                    f"{side} on each side. Take it out, or choose a smaller --size."
                )
            continue
        hr = rgb[:, top : top + side, left : left + side].contiguous()
        both = (lr_from_hr(hr, options.scale), hr)
        lr, hr = (image.to(device)[None].float() / 255 for image in both)
        pairs[str(path) if path.name in pairs else path.name] = lr, hr
    if not pairs:
        raise UserError(f"No embedded photograph has {side} pixels on each side: choose a smaller --size.")
    return pairs


def _seen(subject: Subject, noise: Sequence[torch.Tensor], pairs: Pairs) -> Inside:
    network, names = subject.network, blocks_of(subject.network)
    errors, features = [], []
    with torch.no_grad(), held_by(network, names) as held:
        for lr, hr in pairs.values():
            errors.append(radial_spectrum(_luma(network(lr)) - _luma(hr)))
            features.append({name: radial_spectrum(planes) for name, planes in held().items()})
    photographs = [lr for lr, _ in pairs.values()]
    return Inside(
        subject=subject,
        fields={
            "noise": receptive_field(network, noise),
            "photographs": receptive_field(network, photographs),
        },
        features={name: mean_spectrum([of[name] for of in features]) for name in features[0]},
        error=mean_spectrum(errors),
    )


def _luma(rgb: torch.Tensor) -> Any:
    return luma(rgb.clamp(0, 1) * 255).double().cpu().reshape(1, *rgb.shape[-2:]).numpy() / 255


def field_rows(seen: Seen) -> list[dict[str, Any]]:
    """A row per network, kind of inputs and share."""
    return [
        {
            **_of(inside, seen), "inputs": kind, "count": seen.noise if kind == "noise" else len(seen.pictures),
            "size_px": seen.size, "share": share, "side_px": side, "area": side**2 / seen.size**2,
        }
        for inside in seen.networks
        for kind, field in inside.fields.items()
        for share, side in zip(SHARES, sides_at(field), strict=True)
    ]  # fmt: skip


def spectrum_rows(seen: Seen) -> list[dict[str, Any]]:
    """A row per network, spectrum and frequency."""
    rows = []
    for inside in seen.networks:
        for what, spectrum in {TARGET: seen.target, ERROR: inside.error, **inside.features}.items():
            low, high = spectrum.interval()
            for values in zip(spectrum.frequency, spectrum.power, low, high, strict=True):
                figures = dict(zip(SPECTRUM_COLUMNS[-4:], map(float, values), strict=True))
                rows.append({**_of(inside, seen), "of": what, "pictures": len(seen.pictures), **figures})
    return rows


def _of(inside: Inside, seen: Seen) -> dict[str, Any]:
    return {"model": inside.subject.name, "scale": seen.scale, "weights": Path(inside.subject.weights).name}


def write(seen: Seen, out: Path) -> None:
    """Write both tables."""
    write_csv(out / "receptive_field.csv", FIELD_COLUMNS, field_rows(seen))
    write_csv(out / "spectra.csv", SPECTRUM_COLUMNS, spectrum_rows(seen))


def show(seen: Seen) -> None:
    """Print the sides of the fields, and the error below and above the frequencies that LR holds."""
    cells = []
    for inside in seen.networks:
        for kind, field in inside.fields.items():
            cells.append(
                [
                    inside.subject.title,
                    kind,
                    *map(str, sides_at(field)),
                    *(f"{db:.1f}" for db in error_db(inside, seen)),
                ]
            )
    print_table(
        f"Effective receptive field, x{seen.scale}, LR {seen.size}x{seen.size}",
        ["network", "inputs", *(f"{share:.0%} within" for share in SHARES), "error, held", "lost"],
        cells,
        [
            "Side in LR pixels of the smallest centred square that holds this share of |d SR at the centre / d LR|; "
            f"{seen.size} is the whole input: give a larger --size.",
            "Error: its mean power over that of HR in dB, at the frequencies that LR holds (up to "
            f"{0.5 / seen.scale:.3f} cycles per SR pixel) and at those that it lost.",
            f"Pictures: {', '.join(seen.pictures)}.",
        ],
        text_columns=2,
    )


def error_db(inside: Inside, seen: Seen) -> tuple[float, float]:
    """Mean power of the error over that of HR, in dB: at the frequencies that LR holds, and at those that it lost."""
    held = inside.error.frequency <= 0.5 / seen.scale
    ratios = inside.error.power / seen.target.power
    of_held, of_lost = (10 * float(np.log10(ratios[part].mean())) for part in (held, ~held))
    return of_held, of_lost
