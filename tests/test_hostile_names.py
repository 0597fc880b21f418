"""Names that anybody may have given: shown harmlessly on a terminal, in tables and files, and never a trace."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from safmn_bench.ablations import evaluate, prepare, upscale
from safmn_bench.analysis.escaping import markdown
from safmn_bench.models.errors import printable
from safmn_bench.profiling.common.console import print_table

# name -> (as a line of text, as Markdown)
NAMES: dict[str, tuple[str, str]] = {
    "bn": ("bn", "bn"),
    "<script>alert(1)</script>": ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    "&lt;": ("&lt;", "&amp;lt;"),
    "a|b": ("a|b", r"a\|b"),
    "[x](javascript:1)": ("[x](javascript:1)", r"\[x\](javascript:1)"),
    "![x](http://a/b.png)": ("![x](http://a/b.png)", r"!\[x\](http://a/b.png)"),
    "`rm`": ("`rm`", r"\`rm\`"),
    "*a*_b_": ("*a*_b_", r"\*a\*\_b\_"),
    "$x$": ("$x$", r"\$x\$"),
    "# a": ("# a", r"\# a"),
    "1. a": ("1. a", r"1\. a"),
    "a\nb": ("a b", "a b"),
    "a\x1b[2Jb\x07": ("a [2Jb ", r"a \[2Jb "),
    "\u202egnp.exe": ("?gnp.exe", "?gnp.exe"),
    "caf\udce9": ("caf?", "caf?"),
    "日本": ("日本", "日本"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_harmless_line(name: str):
    line, marked = NAMES[name]
    assert printable(name) == line
    assert markdown(name) == marked


@pytest.mark.parametrize("name", ["[bold]", "[/x]", "[red]x[/red]", ":smile:", "[link=http://a]b[/link]", "caf\udce9"])
def test_a_table_shows_a_name_as_it_is(name: str, capsys: pytest.CaptureFixture[str]):
    print_table(name, [name], [[name]], [name])
    assert capsys.readouterr().out.count(printable(name)) >= 3


def test_a_table_sends_no_escapes(capsys: pytest.CaptureFixture[str]):
    print_table("t", ["a"], [["a\x1b]0;owned\x07"]], ["note\x1b[2J"])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown


HOSTILE = [os.fsdecode(b"caf\xe9.png"), "=1+1.png", "[bold]x.png", "<b>.png", "a|b.png", "\u202ea.png"]


@pytest.fixture
def hostile(make_images: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder of pictures with names of every kind that a file system takes, but control characters."""
    make_images(tmp_path / "D", *(f"{i}.png" for i in range(len(HOSTILE))), height=48, width=48)
    for i, name in enumerate(HOSTILE):
        (tmp_path / "D" / f"{i}.png").rename(tmp_path / "D" / name)
    return tmp_path / "D"


def test_names_of_any_bytes_are_packed(hostile: Path, capsys: pytest.CaptureFixture[str]):
    assert prepare.main(["--train-data", str(hostile), "--cache", str(hostile.parent / "cache")]) == 0
    assert prepare.main(["--train-data", str(hostile), "--cache", str(hostile.parent / "cache")]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_names_of_any_bytes_are_scored_and_written_safely(hostile: Path):
    path = hostile.parent / "s.csv"
    assert evaluate.main(["--model", "bicubic", "--benchmarks", str(hostile), "--csv", str(path)]) == 0
    with path.open(encoding="utf-8", newline="") as handle:
        names = {row["image"] for row in csv.DictReader(handle)}
    assert names == {r"caf\udce9", "'=1+1", "[bold]x", "<b>", "a|b", "\u202ea", "mean"}


def test_names_of_any_bytes_are_enlarged_into_files_of_the_same_names(hostile: Path):
    out = hostile.parent / "out"
    assert upscale.main(["--model", "bicubic", "--scale", "2", str(hostile), str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(HOSTILE)
