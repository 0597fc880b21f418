"""What six commands print at 60, 80, 100 and 160 columns: every name and figure whole, nothing past the edge."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from made_records import made_record, scores_of

from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.power import Noise, lines_of_seeds
from safmn_bench.ablations.scoring.command import Scored
from safmn_bench.ablations.scoring.command import show as show_scores
from safmn_bench.ablations.scoring.score import ImageScore, Protocol, Scores
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.progress import table_lines
from safmn_bench.ablations.sweeps.summary import print_summary
from safmn_bench.ablations.sweeps.sweep import show_plan
from safmn_bench.analysis.stats.command import show as show_power
from safmn_bench.profiling.counting.table import show as show_counts
from safmn_bench.profiling.timing import table as latency_table
from safmn_bench.profiling.timing.forms import Job
from safmn_bench.profiling.timing.interleaved import Timed

WIDTHS = (60, 80, 100, 160)
LONG = "our_network_with_large_kernels_and_a_name_of_53_chars"
SEVERAL, SETS = ("baseline", "w_o_MR", LONG), ("Set5", "Set14", "B100", "Urban100", "Manga109")


def run() -> list[str]:
    """One variant with one seed, five benchmarks."""
    scores = {name: scores_of(20.25 + index) for index, name in enumerate(SETS)}
    print_summary([made_record("w_o_MR", 0, scores, bicubic=scores)])
    return ["w_o_MR seed 0", "bicubic, same images", "paper: w_o_MR", "20.25", "24.25", "13.555", "239.52"]


def sweep() -> list[str]:
    """Three networks with two seeds each: their plan, their live table and their summary."""
    kind = {"candidate": SimpleNamespace(name="baseline"), "scale": 4, "until": None, "folder": None}
    kind |= {"device": torch.device("cpu")}
    kind |= {"recipe": SimpleNamespace(train=SimpleNamespace(iterations=500)), "config_hash": lambda: "0a1b2c3d"}
    plans = [SimpleNamespace(title=f"{name} x4 seed {seed}", **kind) for name in SEVERAL for seed in range(2)]
    jobs: Any = [
        SimpleNamespace(
            plan=plan, state="finished", skipped=True, done=500, loss=0.0123, score=26.75, cause="", eta_s=lambda: 9.0
        )
        for plan in plans
    ]
    show_plan(jobs, RunOptions(variant="baseline"))
    scores = {name: scores_of(20.25 + index) for index, name in enumerate(SETS)}
    print_summary([made_record(name, seed, scores, bicubic=scores) for name in SEVERAL for seed in range(2)])
    return [f"{name} x4 seed {seed}" for name in SEVERAL for seed in range(2)] + [f"{LONG} seed 1", "24.25"]


def complexity() -> list[str]:
    """Counts beside the paper's."""
    row = {"scale": 4, "params": 239520, "flops": 13554915840, "acts": 76700160, "uncounted_ops": "aten::mul=24"}
    paper = {"paper_params_k": "239.52", "paper_flops_g": "13.56", "paper_acts_m": None, "note": "counted in training"}
    show_counts("Complexity", [{"model": name, **row, **paper} for name in SEVERAL])
    return [LONG, "239.52", "13.555", "76.70", "13.56"]


def latency() -> list[str]:
    """Times of three networks."""
    form: Any = {"implementation": "eager", "dtype": "float32", "device": "cpu", "height": 180, "width": 320}
    jobs = [Job(model=name, scale=4, threads=2, **form) for name in ("baseline", "w_o_MR", "edsr_baseline")]
    timings = [Timed(job=job, rounds_ms=[[110.0 + i, 112.25]], flat=True) for i, job in enumerate(jobs)]
    rows = latency_table.rows(timings, "ours", torch.device("cpu"))
    latency_table.show(rows, timings, "ours")
    return ["baseline x4", "edsr_baseline x4", "eager", "float32", "111.12", "10.71"]


def evaluate() -> list[str]:
    """Two images and their mean."""
    images = tuple(ImageScore(name, {"psnr_y_db": 26.7461, "ssim_y": 0.8}) for name in ("butterfly", LONG))
    subject = Scored("safmn", "", "", [], lambda benchmark, protocol, watch: Scores("", ()))
    bench: Any = SimpleNamespace(name="Set5", lr_origin="made from HR", notes=lambda: (), items=())
    show_scores(subject, [bench], [Scores("Set5", images)], Protocol(scale=4), per_image=True)
    return ["Set5", "butterfly", LONG, "mean of 2", "26.7461"]


def power() -> list[str]:
    """Seeds and differences."""
    noise = Noise(run=Deviation(sd=0.02, freedom=4))
    known = {("DIV2K_valid_HR_of_ours", "psnr_y_db"): noise}
    lines = lines_of_seeds("DIV2K_valid_HR_of_ours", "psnr_y_db", noise, 3, (2, 10), 0.8)
    show_power(lines, known, 0.8)
    return ["DIV2K_valid_HR_of_ours", "PSNR-Y", "alone", "among 2 (Holm)", "10"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", [run, sweep, complexity, latency, evaluate, power])
def test_names_and_figures_are_whole_at_every_width(
    command: Callable[[], list[str]],
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COLUMNS", str(width))
    whole = command()
    printed = capsys.readouterr().out
    words = " ".join(printed.split())  # a name of several words may go on in the next line
    for name in whole:
        assert re.search(rf"(^|\s){re.escape(name)}($|[\s.,:])", words), f"{name} in\n{printed}"
    too_long = [line for line in printed.splitlines() if len(line) > width and not _has_longer_word(line, width)]
    assert not too_long, "\n".join(too_long)
    assert "…" not in printed


def _has_longer_word(line: str, width: int) -> bool:
    """A name or a path that no terminal of this width holds."""
    return len(max(line.split(), key=len)) + len(line) - len(line.lstrip()) > width or line.strip().startswith(LONG)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_live_table_keeps_runs_and_states_and_leaves_columns_out_whole(width: int):
    plan = SimpleNamespace(title="w_o_MR x4 seed 0", recipe=SimpleNamespace(train=SimpleNamespace(iterations=500_000)))
    job: Any = SimpleNamespace(
        plan=plan, state="other configuration", done=250_000, loss=0.0123, score=26.75, eta_s=lambda: None
    )
    lines = table_lines([job], width, 30)
    assert lines[0] == "1 run: 1 other configuration"
    assert lines[-1].startswith("w_o_MR x4 seed 0  other configuration")
    assert max(map(len, lines)) <= width
    shown = lines[1].split("  ")
    assert "PSNR-Y [dB]" in shown
    assert ("iteration" in shown) == (width >= 80)
