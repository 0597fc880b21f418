"""What lies inside the report's networks: effective receptive fields, and spectra of features and error."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from markupsafe import Markup
from matplotlib.figure import Figure

from safmn_bench.analysis.attribution.inside_command import Seen, error_db, pairs_of, seen_of
from safmn_bench.analysis.attribution.inside_figure import draw_fields, draw_spectra
from safmn_bench.analysis.attribution.options import InsideOptions
from safmn_bench.analysis.attribution.receptive_field import SHARES, sides_at
from safmn_bench.analysis.networks import Subject
from safmn_bench.analysis.plots.style import style
from safmn_bench.analysis.webpage.charts import inline_svg
from safmn_bench.analysis.webpage.keeping import Keep
from safmn_bench.analysis.webpage.rows import Cell, Grid, number
from safmn_bench.models.errors import printable

_SIZE, _INPUTS = 64, 4  # LR pixels a side, and inputs of noise: a page is to be quick; inside.py looks closer
_DPI = 144


@dataclass(frozen=True, kw_only=True)
class LookedInto:
    """Fields and spectra of the networks at one scale."""

    size: int
    pictures: str
    sides: Grid
    fields_uri: str
    spectra: Markup


def looked_into(subjects: Sequence[Subject], scale: int, device: torch.device, keep: Keep) -> LookedInto:
    """Look into the networks, on embedded photographs and on noise."""
    for subject in subjects:
        subject.network.to(device)
    options = InsideOptions(models=(), scale=scale, size=_SIZE, inputs=_INPUTS)
    seen = seen_of(subjects, pairs_of(options, device), options)
    with style():
        fields, spectra = draw_fields(seen), draw_spectra(seen)
        picture = _pixels(fields)
    return LookedInto(
        size=_SIZE,
        pictures=", ".join(map(printable, seen.pictures)),
        sides=_grid(seen),
        fields_uri=keep(picture),
        spectra=inline_svg(spectra, f"spectra{scale}", "Spectra of the error and of the features"),
    )


def _pixels(figure: Figure) -> np.ndarray:
    """The figure as uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return np.array(PIL.Image.open(buffer).convert("RGB"))


def _grid(seen: Seen) -> Grid:
    rows = []
    for looked in seen.networks:
        for kind, field in looked.fields.items():
            name = printable(f"{looked.subject.title}, {kind}")
            sides = [number(side, 0) for side in sides_at(field)]
            rows.append([Cell(value=name, shown=name), *sides, *(number(db, 1) for db in error_db(looked, seen))])
    header = [("network, inputs", ""), *((f"{share:.0%} within", "px") for share in SHARES)]
    return Grid(
        caption=f"Sides of effective receptive fields in LR pixels, of {seen.size}; power of the error over that of HR",
        header=[*header, ("error, held", "dB"), ("lost", "dB")],
        rows=rows,
    )
