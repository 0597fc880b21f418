"""Every figure at the width it is printed at: no letter below 6 pt, none over another or beyond the edge.

What is drawn is recorded as matplotlib draws it, so hidden ticks and empty panels do not count.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from made_looks import made_look
from made_records import made_record, scores_of
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.power import Noise
from safmn_bench.ablations.scoring.score import ImageScore
from safmn_bench.analysis.attribution import figure as lam_figure
from safmn_bench.analysis.attribution.inside_command import Inside, Seen
from safmn_bench.analysis.attribution.inside_figure import draw_fields, draw_spectra, pages_of
from safmn_bench.analysis.attribution.spectrum import Spectrum
from safmn_bench.analysis.networks import Subject
from safmn_bench.analysis.plots import feature_maps, loss_curves, loss_differences, tradeoff, visual_comparison
from safmn_bench.analysis.plots.comparisons import delta_figure, power_figure
from safmn_bench.analysis.plots.loss_curves import Curve
from safmn_bench.analysis.plots.style import PAGE_INCHES, style
from safmn_bench.analysis.plots.tradeoff_points import MEASURED, PUBLISHED, Point
from safmn_bench.analysis.plots.visual_comparison import Crop, CropBox
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.profiling.tracing import roofline

SMALLEST = 6.0  # points
HIGH_INCHES = 9.0  # a page
LONG = "our_network_with_large_kernels_and_a_name_of_53_chars"


def names(count: int) -> list[str]:
    """So many names, the last one of 53 characters."""
    return [*(f"some_variant_{i}_lr1e-4" for i in range(count - 1)), LONG]


def curves(count: int) -> dict[str, list[Curve]]:
    """Two seeds of each network; the last one collapses."""
    rng, steps = np.random.default_rng(0), np.arange(1.0, 3001, 100)
    losses = {name: 0.1 + 0.01 * index + 0.01 * rng.random((2, 30)) for index, name in enumerate(names(count))}
    return {
        name: [Curve(seed, steps, loss[seed], 2000 if name == LONG else None) for seed in (0, 1)]
        for name, loss in losses.items()
    }


def difference_curves(count: int) -> Figure:
    """Of so many networks beside the baseline."""
    every = curves(count + 1)
    baseline, others = next(iter(every.values())), list(every)[1:]
    figure = loss_differences.draw({"baseline": baseline, **{name: every[name] for name in others}}, "baseline")
    assert figure is not None
    return figure


def point(label: str, cost: float, score: float, params_k: float, source: str) -> Point:
    """A mark of Figure 1."""
    return Point(label=label, cost=cost, score=score, params_k=params_k, source=source)


def costs(count: int) -> Figure:
    """Figure 1 with the paper's networks and so many of ours."""
    paper = [point(f"Network{i}", 10.0 + 7 * i, 31.0 + 0.08 * i, 100.0 + 80 * i, PUBLISHED) for i in range(12)]
    ours = [point(name, 9.0 + 3.7 * i, 30.8 + 0.05 * i, 150.0 + 9 * i, MEASURED) for i, name in enumerate(names(count))]
    return tradeoff.draw(
        [*paper, *ours], x_title="FLOPs (MACs) [G]", y_title="Set5 x4, PSNR of luma [dB]", trained="3,000 iterations"
    )


def differences(count: int) -> Figure:
    """Differences from the baseline of so many networks."""
    records = [
        made_record(name, seed, {"Urban100": scores_of(25 + 0.02 * index + 0.01 * seed)})
        for index, name in enumerate(["baseline", *names(count)]) for seed in (0, 1)
    ]  # fmt: skip
    return delta_figure(measure(records, 4), "Urban100", dict.fromkeys(names(count), -0.7), "published, DIV2K_val")


def features_of(title: str) -> Figure:
    """Figure 5."""
    maps = feature_maps.Features(
        tuple([np.random.default_rng(0).random((32, 48))] * 4), np.ones((32, 48)), np.ones((32, 48))
    )
    return feature_maps.draw(torch.zeros(3, 32, 48, dtype=torch.uint8), maps, title=title)


def crops(count: int) -> Figure:
    """Figure 6."""
    hr, box = torch.zeros(3, 96, 128, dtype=torch.uint8), CropBox(4, 4, 24, 16)
    score = ImageScore("a", {"psnr_y_db": 30.0, "ssim_y": 0.9})
    every = [Crop("HR", box.of(hr), None), *(Crop(name, box.of(hr), score) for name in names(count))]
    return visual_comparison.draw(hr, box, every, title="photo x4; scores of the whole image")


def noise() -> Figure:
    """What a number of seeds finds, on five benchmarks."""
    sets = ("Set5", "Set14", "B100", "Urban100", "Manga109")
    known = {(name, "psnr_y_db"): Noise(run=Deviation(sd=0.02, freedom=8)) for name in sets}
    return power_figure(known, networks=20)


def seen(count: int) -> Seen:
    """Fields and spectra of so many networks."""
    frequency = np.linspace(0.01, 0.5, 20)
    spectrum = Spectrum(frequency, 1 / frequency, frequency)
    field = np.outer(np.hanning(48), np.hanning(48))
    networks = [
        Inside(Subject(name, name, nn.Identity(), ""), {"noise": field, "photographs": field},
               {f"feats.{i}": spectrum for i in range(8)}, spectrum)
        for name in names(count)
    ]  # fmt: skip
    return Seen(networks, spectrum, ["a"], 8, 4, 48)


def roof() -> Figure:
    """Operations of long names, each at an intensity of its own."""
    rates = [(1e9 * 2**i, 4e9 / (i + 1)) for i in range(6)]
    points = [roofline.Point(name=f"{LONG} {f}", share=0.04, flop_per_s=f, bytes_per_s=moved) for f, moved in rates]
    return roofline.picture("safmn x4", points, roofline.Ceilings(flop_per_s=3e11, bytes_per_s=2e10))


FIGURES: dict[str, Callable[[], Figure]] = {
    **{f"figure 1, {n}": lambda n=n: costs(n) for n in (1, 12, 24)},
    **{f"LAM, {n}": lambda n=n: lam_figure.draw([made_look(name) for name in names(n)]) for n in (1, 4, 5, 9, 24)},
    "LAM, all views, landscape": lambda: lam_figure.draw(
        [made_look(name, height=48, width=80) for name in names(7)], views=("map", "density"), missing=names(24)
    ),
    "figure 5": lambda: features_of(f"{LONG} x4, block 4, chelsea: mean of |features| over channels"),
    **{f"figure 6, {n}": lambda n=n: crops(n) for n in (2, 8, 24)},
    **{f"figure 7, {n}": lambda n=n: loss_curves.draw(curves(n), window=60) for n in (1, 8, 24)},
    **{f"figure 7, differences of {n}": lambda n=n: difference_curves(n) for n in (1, 8, 24)},
    "found by seeds": noise,
    "roofline": roof,
    **{f"fields, {n}": lambda n=n: draw_fields(pages_of(seen(n))[0]) for n in (1, 4, 24)},
    **{f"spectra, {n}": lambda n=n: draw_spectra(pages_of(seen(n))[-1]) for n in (1, 24)},
    **{f"differences of {n}": lambda n=n: differences(n) for n in (1, 24)},
}
"""Name -> how to draw it: every figure of the suite, with few and with many networks."""


def drawn(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Text, Any]]:
    """Texts that are really drawn, each once, with the box of each in pixels."""
    seen: dict[int, Text] = {}
    draw = Text.draw

    def watched(text: Text, renderer: Any, *rest: Any, **more: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            seen[id(text)] = text
        draw(text, renderer, *rest, **more)

    monkeypatch.setattr(Text, "draw", watched)
    figure.draw_without_rendering()
    return [(text, text.get_window_extent()) for text in seen.values()]


MANY = [pytest.param(name, marks=pytest.mark.slow if "24" in name else ()) for name in FIGURES]


@pytest.mark.parametrize("name", MANY)
def test_letters_are_6_pt_or_more_on_the_page_and_apart(name: str, monkeypatch: pytest.MonkeyPatch):
    with style():
        figure = FIGURES[name]()
        texts = drawn(figure, monkeypatch)
    shrunk = min(1.0, PAGE_INCHES / figure.get_figwidth(), HIGH_INCHES / figure.get_figheight())
    assert [
        (text.get_text(), text.get_fontsize()) for text, _ in texts if float(text.get_fontsize()) * shrunk < SMALLEST
    ] == []
    page = figure.bbox.padded(1)
    assert [t.get_text() for t, box in texts if not (page.contains(*box.min) and page.contains(*box.max))] == []
    pairs = combinations([(text.get_text(), box.padded(-0.5)) for text, box in texts], 2)
    assert [(a, b) for (a, first), (b, second) in pairs if first.overlaps(second)] == []
