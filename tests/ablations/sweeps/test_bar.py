"""The bar of one run: where it starts, what it says at its end, and its lines in a log."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from safmn_bench.ablations.sweeps.progress import LiveProgress, PlainProgress
from safmn_bench.profiling.common.console import Bar

TRAIN = SimpleNamespace(iterations=40, batch=8)
PLAN: Any = SimpleNamespace(title="w_o_MR x4 seed 0", recipe=SimpleNamespace(train=TRAIN))


def drawn(*messages: tuple[int, float | None], width: int = 120, seconds: float = 12.0) -> str:
    """The bar after messages (iterations done, loss), `seconds` after it started."""
    screen, clock = io.StringIO(), iter([0.0, *[seconds] * 99])
    terminal = Console(file=screen, width=width, force_terminal=True, color_system=None)
    bar = Bar(console=terminal, get_time=lambda: next(clock), auto_refresh=False)
    progress = LiveProgress(bar, bar.add_task(PLAN.title, total=40), PLAN)
    for done, loss in messages:
        progress(done, loss, None)
    terminal.print(*bar.get_renderables())
    return screen.getvalue().rstrip("\n")


def test_a_resumed_run_says_so_and_its_bar_starts_there():
    assert drawn((14, None)).startswith("w_o_MR x4 seed 0  from iteration 14  ━━━━━━━━")
    assert "  14/40  " in drawn((14, None))
    assert "from iteration" not in drawn((14, 0.1))


def test_a_finished_bar_shows_the_time_used_once():
    line = drawn((20, 0.1), (40, 0.05))
    assert "40/40  took 0:12  loss 0.0500" in line
    assert line.count("0:12") == 1


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_bar_stays_within_one_line_and_keeps_its_name(width: int):
    line = drawn((14, None), (20, 0.1), width=width)
    assert line.startswith("w_o_MR x4 seed 0  ")
    assert "20/40" in line
    assert len(line) <= width
    assert "\n" not in line


def test_a_log_says_where_a_run_goes_on(capsys: pytest.CaptureFixture[str]):
    PlainProgress(PLAN)(14, None, None)
    assert capsys.readouterr().err == "w_o_MR x4 seed 0: goes on from iteration 14 of 40\n"
