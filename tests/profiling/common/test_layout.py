"""Tables and sentences at a terminal's width: expected renderings are written out."""

import io

import pytest

from safmn_bench.profiling.common.console import BarLine, fitting, print_table
from safmn_bench.profiling.common.layout import arranged, counted, say, width_of, wrapped

HEADER = ["model", "form", "params [K]", "FLOPs (MACs) [G]", "acts [M]"]
ROWS = [["w_o_MR x4", "eager", "239.52", "13.555", "76.70"], ["baseline x4", "compiled", "239.52", "13.555", "76.70"]]


def drawn(width: int | None, rows: list[list[str]] = ROWS) -> list[str]:
    """The table's lines; an empty one between its parts."""
    grids = arranged(HEADER, rows, 2, width)
    return "\n\n".join("\n".join(grid.lines()) for grid in grids).split("\n")


def test_a_table_that_fits_stands_as_it_is():
    assert drawn(None) == drawn(66) == drawn(61) == [
        "model        form      params [K]  FLOPs (MACs) [G]  acts [M]",
        "───────────  ────────  ──────────  ────────────────  ────────",
        "w_o_MR x4    eager         239.52            13.555     76.70",
        "baseline x4  compiled      239.52            13.555     76.70",
    ]  # fmt: skip


def test_headings_give_way_first():
    assert drawn(60) == drawn(47) == [
        "                                FLOPs",
        "                       params  (MACs)   acts",
        "model        form         [K]     [G]    [M]",
        "───────────  ────────  ──────  ──────  ─────",
        "w_o_MR x4    eager     239.52  13.555  76.70",
        "baseline x4  compiled  239.52  13.555  76.70",
    ]  # fmt: skip


def test_a_few_rows_are_turned():
    assert drawn(40) == [
        "model             w_o_MR x4  baseline x4",
        "form                  eager     compiled",
        "────────────────  ─────────  ───────────",
        "params [K]           239.52       239.52",
        "FLOPs (MACs) [G]     13.555       13.555",
        "acts [M]              76.70        76.70",
    ]


def test_many_rows_are_told_in_parts_that_repeat_the_names():
    lines = drawn(36, ROWS * 2)
    assert [line for line in lines if line.startswith("baseline")] == [
        *["baseline x4  compiled  239.52"] * 2,
        *["baseline x4  compiled  13.555  76.70"] * 2,
    ]
    assert max(map(len, lines)) <= 36


def test_a_name_wider_than_the_terminal_stays_whole_above_its_figures():
    name = "a_name_of_thirty_letters_or_so"
    assert drawn(26, [[name, "eager", "1.00", "2.000", "3.00"]] * 4)[:6] == [
        *(name, "eager"),
        "  params [K]        1.00",
        "  FLOPs (MACs) [G]  2.000",
        "  acts [M]          3.00",
        "",
    ]


def test_words_are_never_broken():
    text = "The interval is a bootstrap of the median; see /a/very/long/folder/of/results/latency.csv there."
    lines = wrapped(text, 30).split("\n")
    assert " ".join(lines) == text
    assert max(len(line) for line in lines if "/" not in line) <= 30
    assert wrapped("  w_o_MR: pool 3, mul 4 and sigmoid 8", 22) == "  w_o_MR: pool 3, mul\n  4 and sigmoid 8"
    assert wrapped(text, None) == text


@pytest.mark.parametrize(("columns", "width"), [("72", 72), ("0", None), ("", None), ("wide", None)])
def test_columns_says_how_wide_a_pipe_is(columns: str, width: int | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert width_of(io.StringIO()) == width


def test_a_pipe_gets_full_width_and_no_escapes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table("title", ["name", *["figure"] * 60], [["x", *["1.2345"] * 60]], ["note " * 60])
    lines = capsys.readouterr().out.splitlines()
    assert [len(line) for line in lines] == [5, 484, 484, 484, 300]
    assert "\x1b" not in "".join(lines)


def test_a_sentence_is_told_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "20")
    say("two words and a third, then more")
    assert capsys.readouterr().out == "two words and a\nthird, then more\n"


def test_one_is_no_plural():
    assert [counted(0, "run"), counted(1, "run"), counted(2, "pass", "passes")] == ["0 runs", "1 run", "2 passes"]


def test_a_bar_leaves_out_its_pace_first_and_never_its_name():
    parts = {
        "name": "w_o_MR",
        "bar": " " * 10,
        "count": "3/9",
        "times": "0:12",
        "loss": "loss 0.1",
        "pace": "9 images/s",
    }
    left_out = BarLine.LEFT_OUT
    assert [*fitting(parts, left_out, 80)] == ["name", "bar", "count", "times", "loss", "pace"]
    assert [*fitting(parts, left_out, 50)] == ["name", "bar", "count", "times", "loss"]
    assert [*fitting(parts, left_out, 36)] == ["name", "count", "times", "loss"]
    assert [*fitting(parts, left_out, 4)] == ["name"]
