"""What the library's functions give back: frozen values with units in their names, which notebooks show as tables."""

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from safmn_bench.ablations.scoring.score import Scores
    from safmn_bench.analysis.attribution.attribute import Look

_FIGURE_DPI = 60


class Shown:
    """A result that a notebook shows as a table of `cells`, with notes under it; any text in it is escaped."""

    def cells(self) -> list[tuple[str, ...]]:
        """Rows of text, the header first."""
        raise NotImplementedError

    def remarks(self) -> list[str]:
        """What must be read with it."""
        return []

    def _repr_html_(self) -> str:
        header, *rows = self.cells()
        body = "".join(_row(row, "td") for row in rows)
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.remarks())
        return f"<table><thead>{_row(header, 'th')}</thead><tbody>{body}</tbody></table>{notes}"


def _row(cells: tuple[str, ...], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


@dataclass(frozen=True, kw_only=True)
class Count(Shown):
    """Exact counts of one forward pass, batch 1, of the form that is deployed."""

    parameters: int
    macs: int
    """Multiply-adds, which papers call FLOPs."""
    activations: int
    """Outputs of all convolutions."""
    lr: tuple[int, int]
    """LR pixels, as they were asked for."""
    uncounted: Mapping[str, int]
    """Operators that fvcore saw and has no rule for: name -> calls."""

    def cells(self) -> list[tuple[str, ...]]:
        """One row."""
        size = f"{self.lr[0]}x{self.lr[1]}"
        return [
            ("parameters", "MACs", "activations", "LR"),
            (f"{self.parameters:,}", f"{self.macs:,}", f"{self.activations:,}", size),
        ]

    def remarks(self) -> list[str]:
        """What was not counted."""
        calls = ", ".join(f"{name} ({number})" for name, number in self.uncounted.items())
        return [f"Seen and not counted by fvcore: {calls}."] if calls else []


@dataclass(frozen=True, kw_only=True)
class Latency(Shown):
    """Times of forward passes in ms; `interval_ms` is the bootstrap 95 % interval of the median."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    interval_ms: tuple[float, float]
    runs: int
    warm: bool
    """Whether the warm-up ended flat; if not, the figures are not steady."""
    lr: tuple[int, int]
    hardware: str

    def cells(self) -> list[tuple[str, ...]]:
        """One row."""
        low, high = self.interval_ms
        return [
            ("median [ms]", "95 % interval", "p10", "p90", "LR", "on"),
            (f"{self.median_ms:.2f}", f"{low:.2f} .. {high:.2f}", f"{self.p10_ms:.2f}", f"{self.p90_ms:.2f}",
             f"{self.lr[0]}x{self.lr[1]}", self.hardware),
        ]  # fmt: skip

    def remarks(self) -> list[str]:
        """How sure it is."""
        told = [f"{self.runs} passes of one network, in this process: `safmn-bench compare` times several in turns."]
        return told if self.warm else [*told, "Not warm: times were still changing when the timed passes began."]


@dataclass(frozen=True, kw_only=True)
class Evaluation(Shown):
    """Scores on benchmarks; `result["Set5"]["psnr_y_db"]` is a mean over images."""

    scores: "tuple[Scores, ...]"
    """By benchmark, each with its images."""
    protocol: str
    notes: tuple[str, ...] = ()

    def __getitem__(self, dataset: str) -> dict[str, float]:
        return {one.dataset: one.means for one in self.scores}[dataset]

    def cells(self) -> list[tuple[str, ...]]:
        """A row per benchmark."""
        metrics = list(self.scores[0].means)
        rows = [(one.dataset, *(f"{one[name]:.4f}" for name in metrics), one.mean_of) for one in self.scores]
        return [("benchmark", *metrics, "images"), *rows]

    def remarks(self) -> list[str]:
        """The protocol, and what is special about these images."""
        return [self.protocol, *self.notes]


@dataclass(frozen=True, kw_only=True)
class Attribution(Shown):
    """What a window of the SR image was made of."""

    di: float | None
    """Diffusion index in (0, 100]; None where the window is flat and attributes nothing."""
    magnitude: NDArray[np.float64] = field(repr=False)
    """The map over LR pixels, (h, w) in [0, 1]."""
    window: tuple[int, int, int]
    """x, y and size in SR pixels."""
    completeness_gap: float | None
    """What the path's steps miss, as a part of the whole."""
    look: "Look" = field(repr=False)
    """All of it, for analysis.attribution.figure."""

    def cells(self) -> list[tuple[str, ...]]:
        """One row."""
        di = "none: the window is flat" if self.di is None else f"{self.di:.2f}"
        gap = "-" if self.completeness_gap is None else f"{100 * self.completeness_gap:.1f} %"
        return [("DI", "window", "gap"), (di, "{} {} {}".format(*self.window), gap)]

    def _repr_html_(self) -> str:
        from safmn_bench.analysis.attribution.figure import draw

        picture = io.BytesIO()
        draw([self.look]).savefig(picture, format="png", dpi=_FIGURE_DPI, bbox_inches="tight")
        encoded = base64.b64encode(picture.getvalue()).decode("ascii")
        return f'{super()._repr_html_()}<img alt="attribution map" src="data:image/png;base64,{encoded}">'
