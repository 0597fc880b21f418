"""Figures as the cells and sentences of a study's README.md show them: differences, coefficients, p values."""

from safmn_bench.ablations.judging.significance import Comparison
from safmn_bench.analysis.stats.rank_correlation import Correlation

DASH = "–"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign; a dash where there is none."""
    return DASH if value is None else f"{value:+.{digits}f}".replace("-", "−")


def coefficient(value: float | str | None) -> str:
    """A correlation at two decimals."""
    return DASH if value in (None, "") else f"{float(value):.2f}".replace("-", "−")


def with_interval(comparison: Comparison) -> str:
    """A difference with half its interval, where it has one."""
    width = comparison.half_width
    return signed(comparison.difference) + (f" ± {width:.3f}" if width is not None else "")


def judged(comparison: Comparison | None) -> str:
    """A difference with its interval and verdict; bold where it stands in its family."""
    if comparison is None:
        return DASH
    shown = with_interval(comparison)
    return f"{shown} {comparison.told()}" if comparison.verdict else f"**{shown}**"


def correlation(found: Correlation) -> str:
    """A coefficient with its interval, where it has one."""
    interval = f" ({coefficient(found.low)} to {coefficient(found.high)})" if found.low is not None else ""
    return coefficient(found.r) + interval


def chance(p: float | None) -> str:
    """A p value at three decimals, or that it is below what they show."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"
