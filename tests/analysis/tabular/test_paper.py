"""Tables for a paper: what is chosen, and how LaTeX sets it in two common classes."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_records import made_record, scores_of

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.tables import main
from safmn_bench.analysis.tabular.command import tabulate, to_markdown
from safmn_bench.analysis.tabular.latex import Paper, to_latex
from safmn_bench.analysis.tabular.selection import Selection, selected
from safmn_bench.analysis.tabular.table import MEASURED, Column, Piece, Row, Table
from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import TABLE3

HOSTILE = r"<script>alert(1)</script> 100%_\end{tabular}|`*[x](y)$&#~^ 中 \x"
CLASSES = {"IEEEtran": ("conference", ("page", "column")), "llncs": ("", ("text",))}


def sweep(difference_db: float, variant: str = "w_o_FM", scatter_db: float = 0.01) -> list[Record]:
    """Three seeds of the baseline and of a variant that differs from it."""
    records = []
    for seed in range(3):
        shift = scatter_db * seed
        records.append(made_record("baseline", seed, {"Manga109": scores_of(30.0 + shift)}))
        ours = 30.0 + difference_db + shift * (-1 if seed % 2 else 1)
        records.append(made_record(variant, seed, {"Manga109": scores_of(ours)}))
    return records


def whole_ablation() -> list[Record]:
    """Every variant of Table 3 with two seeds on five benchmarks."""
    sets = [*enumerate(("Set5", "Set14", "B100", "Urban100", "Manga109"))]
    return [
        made_record(variant.name, seed, {name: scores_of(20 + i - 0.03 * index + 0.01 * seed) for i, name in sets})
        for index, variant in enumerate(TABLE3)
        for seed in range(2)
    ]


def compiled(document: str, tables: list[str], folder: Path) -> str:
    """What pdflatex says of the tables in a document of this class."""
    head = f"\\documentclass{document}\\usepackage{{booktabs}}\\begin{{document}}\n"
    (folder / "all.tex").write_text(head + "\\clearpage\n".join(tables) + "\\end{document}\n")
    engine = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(engine, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "all.log").read_text(errors="replace")


def require_class(name: str, *programs: str) -> None:
    """Skip where pdflatex, the class or a program of poppler's is missing."""
    if missing := [program for program in ("pdflatex", "kpsewhich", *programs) if not shutil.which(program)]:
        pytest.skip(f"needs {' and '.join(missing)} (texlive-latex-recommended, poppler-utils)")
    if not subprocess.run(["kpsewhich", f"{name}.cls"], capture_output=True).stdout:
        pytest.skip(f"needs LaTeX's {name} (texlive-publishers)")


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
def test_tables_compile_without_an_overfull_box_or_letters_below_7_pt(name: str, tmp_path: Path):
    option, fits = CLASSES[name]
    require_class(name)
    tables = [
        to_latex(tabulate(number, whole_ablation(), Profiles()), Paper(fit=fit, label=f"tab:{number}{fit}"))
        for number in (1, 2, 3, 4, 5) for fit in fits
    ]  # fmt: skip
    log = compiled(f"[{option}]{{{name}}}", tables, tmp_path)
    assert "Overfull" not in log
    assert "too large" not in log  # a float for its page
    assert not [size for size in ("tiny", "resizebox", "scalebox") if size in "".join(tables)]


STUDY = str(Path(__file__).parents[3] / "results" / "ablation" / "cpu_amd_epyc-reduced_cpu")
TWO_PAGES = (
    ("2", "--fit", "column", "--rows", "published"),
    ("4", "--fit", "column", "--rows", "published"),
    (
        "3",
        "--fit",
        "column",
        "--rows",
        "measured",
        "--columns",
        "psnr",
        "delta",
        "--benchmarks",
        "B100",
        "--runs",
        STUDY,
    ),
    ("1", "--fit", "page", "--rows", "published", "CARN", "IMDN", "PAN", "LAPAR-A", "ShuffleMixer", "SAFMN"),
)
"""Tables as a paper has them, with their places in it."""


def letters(pdf: Path) -> list[tuple[int, str]]:
    """Every run of letters of a PDF with its size in points."""
    call = ["pdftohtml", "-xml", "-stdout", "-zoom", "1", "-i", str(pdf)]
    page = subprocess.run(call, capture_output=True, text=True, check=True, timeout=60).stdout
    sizes = dict(re.findall(r'<fontspec id="(\d+)" size="(\d+)"', page))
    runs = re.findall(r'<text [^>]*font="(\d+)">(.*?)</text>', page)
    return [(int(sizes[font]), html.unescape(re.sub("<[^>]+>", "", text)).strip()) for font, text in runs]


@pytest.mark.slow
@pytest.mark.skipif(not Path(STUDY).exists(), reason="results/ablation/ holds no such study")
def test_a_paper_of_two_ieee_pages_holds_tables_1_to_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Text in IEEE's columns between them; only captions, which the class sets in small capitals, are below 7 pt."""
    require_class("IEEEtran", "pdftohtml")
    text = "Words of a paper, as wide as its column. " * 17
    parts = []
    for number, *options in TWO_PAGES:
        assert main(["--table", number, "--format", "latex", "--label", f"tab:{number}", *options]) == 0
        parts += [capsys.readouterr().out, f"{text}Table~\\ref{{tab:{number}}}.\n\n"]
    paper = ["".join(parts)]
    compiled("[conference]{IEEEtran}", paper, tmp_path)
    log = compiled("[conference]{IEEEtran}", paper, tmp_path)  # references are known the second time
    assert "Output written on all.pdf (2 pages" in log
    assert not [word for word in ("Overfull", "undefined", "too large") if word in log]
    words = letters(tmp_path / "all.pdf")
    assert {text for _, text in words} >= {"ShuffleMixer", "EDSR-baseline"}
    small = [text for size, text in words if size < 7]
    assert [text for text in small if text.upper() != text] == []


@pytest.mark.slow
def test_latex_compiles_with_a_hostile_name_in_it(tmp_path: Path):
    if not shutil.which("pdflatex"):
        pytest.skip("needs pdflatex with booktabs (texlive-latex-recommended)")
    records = [*sweep(-0.2), made_record(HOSTILE, 0, {HOSTILE: scores_of(29.0)})]
    assert "Output written" in compiled(
        "{article}", [to_latex(tabulate(n, records, Profiles())) for n in (1, 3)], tmp_path
    )


def shown(*rows: str, columns: tuple[str, ...] = (), benchmarks: tuple[str, ...] = (), spread: str = "interval") -> str:
    """Table 3 of a sweep in Markdown."""
    choice = Selection(rows=rows, columns=columns, benchmarks=benchmarks, spread=spread)
    return to_markdown(selected(tabulate(3, sweep(-0.2), Profiles()), choice))


def test_rows_are_chosen_by_band_and_by_name():
    assert [line.split(" | ")[2] for line in shown("w_o_FM", "baseline").splitlines() if "| 239" in line] == [
        "baseline", r"w\_o\_FM",
    ]  # fmt: skip
    measured, published = shown("measured"), shown("published")
    assert "Published:" not in measured
    assert sum("| 239.52 |" in line for line in measured.splitlines()) == 2
    assert "± " not in published.split("Published:")[0]
    with pytest.raises(UserError, match="No row 'w_o_FN'. Did you mean 'w_o_LN' or 'w_o_FM'"):
        shown("w_o_FN")


def test_columns_and_benchmarks_are_chosen():
    text = shown("measured", "w_o_FM", columns=("psnr", "delta"), benchmarks=("manga109",))
    assert text.splitlines()[2] == "| part | ablation | variant | Manga109 PSNR \\[dB\\] | Manga109 Δ PSNR \\[dB\\] |"
    with pytest.raises(UserError, match="No column 'pnsr'. Did you mean 'psnr'"):
        shown(columns=("pnsr",))
    with pytest.raises(UserError, match="No benchmark 'Set6'. "):
        shown(benchmarks=("Set6",))


def test_the_scatter_behind_a_mean_is_the_one_asked_for():
    """Seeds of 0.01 dB apart: sd 0.01, half of the t interval of three 4.303 x 0.01 / sqrt(3) = 0.0248."""
    both = [shown("measured", "baseline", columns=("psnr",), spread=spread) for spread in ("interval", "sd", "none")]
    assert ["± 0.025" in both[0], "± 0.010" in both[1], "±" in both[2].split("|")[-2]] == [True, True, False]
    assert "± standard deviation over seeds" in both[1]


def test_best_is_marked_only_among_rows_of_one_training():
    score = Column(title="PSNR", pieces=[Piece(key="psnr", digits=2, better=1, by_setting=True)], band=MEASURED)
    rows = [
        Row(values={"name": name, "psnr": psnr}, setting=setting)
        for name, psnr, setting in (("a", 30.0, "quick"), ("b", 31.0, "quick"), ("c", 38.0, "paper"))
    ]
    columns = [Column(title="name", pieces=[Piece(key="name")]), score]
    text = to_markdown(Table(heading="", title="t", fields=["name", "psnr"], columns=columns, rows=rows))
    assert text.splitlines()[4:7] == ["| a | *30.00* |", "| b | **31.00** |", "| c | 38.00 |"]


def test_label_and_caption_are_ones_own(capsys: pytest.CaptureFixture[str]):
    call = ["--table", "2", "--format", "latex", "--rows", "published", "--fit", "column"]
    assert main([*call, "--label", "tab:mine", "--caption", "Time at $\\times4$."]) == 0
    printed = capsys.readouterr().out
    assert "\\begin{table}[tbp]\n\\centering\n\\caption{Time at $\\times4$.}\\label{tab:mine}\n" in printed
    assert "Measured" not in printed
    assert main(["--table", "2", "--format", "csv", "--rows", "published"]) == 2
    assert "a CSV holds every row and field" in capsys.readouterr().err


def test_published_rows_alone_have_no_notes_on_what_was_measured():
    notes = selected(tabulate(3, sweep(-0.2), Profiles()), Selection(rows=("published",))).notes
    assert [note.split(":")[0].split(" as ")[0] for note in notes] == [
        "Published", "FLOPs are multiply-adds (MACs)", "*",
    ]  # fmt: skip


def test_notes_are_in_words():
    assert "params_k" not in "".join(tabulate(3, sweep(-0.2), Profiles()).notes)
