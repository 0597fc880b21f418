"""The report as a file: structure, escaping, nothing from outside, size; and what the command refuses."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_records import made_record, scores_of
from made_records import write_run as write_made_run
from trial_runs import record, write_run

from safmn_bench.analysis.attribution.attribute import busiest_window, picture_of
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.plots.loss_curves import Curve
from safmn_bench.analysis.report import main
from safmn_bench.analysis.tabular.table import Piece
from safmn_bench.analysis.tabular.table import text as in_table
from safmn_bench.analysis.webpage.charts import thinned
from safmn_bench.analysis.webpage.pictures import framed
from safmn_bench.analysis.webpage.rows import rounded

HOSTILE = "<script>alert('x')</script>\"%_\\$&amp;{{ 7*7 }}"
VOID = {"meta", "link", "img", "input", "br", "hr"}
FAST = ["--device", "cpu", "--steps", "2"]


class Page(HTMLParser):
    """A parsed page: elements with attributes, texts by element, and tags closed where they were not opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.misplaced: list[str] = []
        self.feed(text.replace("<wbr>", ""))  # where a name may be broken
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four variants with two seeds each, one of them with a hostile name, and a collapsed one."""
    folder = tmp_path_factory.mktemp("runs")
    for index, (name, psnr) in enumerate([("baseline", 30.0), ("w_o_FM", 29.9), ("w_o_MR", 30.02), (HOSTILE, 29.0)]):
        for seed in (0, 1):
            write_run(folder / f"v{index}", record(name, seed, psnr + 0.01 * seed))
    collapse = {"iteration": 55, "reason": "loss not finite", "weights_from_iteration": 40}
    write_run(folder / "v4", record("l2_norm", 0, 20.0, status="collapsed", collapse=collapse))
    return folder


@pytest.fixture(scope="module")
def text(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report")
    assert main(["--runs", str(runs), "--out", str(out), "--images", "1", *FAST]) == 0
    assert [path.name for path in out.iterdir()] == ["index.html"]
    return (out / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_tag_is_closed_and_every_id_is_unique(page: Page):
    assert (page.open, page.misplaced) == ([], [])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) > 50  # the charts have many
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for attributes in page.all("a")]
    assert set(links) <= set(ids)


def test_page_has_all_its_sections(page: Page):
    ids = {attributes.get("id") for attributes in page.all("section")}
    parts = ("overview", "deltas", "losses", "tradeoff", "pictures", "lam", "costs")
    assert {f"x2-{part}" for part in parts} | {"x2", "provenance"} == ids
    assert len(page.all("svg")) == 3
    assert len(page.all("html")) == len(page.all("main")) == len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"


@pytest.mark.slow
def test_inside_shows_fields_and_spectra_of_every_network(runs: Path, tmp_path: Path):
    call = ["--runs", str(runs), "--out", str(tmp_path), "--images", "0", "--no-lam", "--inside", *FAST]
    assert main(call) == 0
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "x2-inside" in {attributes.get("id") for attributes in page.all("section")}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.all("svg")) == 3 + 1
    assert [image["src"][:15] for image in page.all("img")] == ["data:image/webp"]
    rows = [name for name in page.texts["span"] if name.endswith((", noise", ", photographs"))]
    assert len(rows) == 4 * 2  # networks that did not collapse, kinds of inputs


def test_nothing_comes_from_outside(page: Page, text: str):
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            if name in attributes:
                assert re.match(r"data:|#", attributes[name]), attributes[name][:80]
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    (policy,) = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_hostile_name_is_text_and_nothing_else(page: Page, text: str):
    assert len(page.all("script")) == 1
    assert "<script>alert" not in text
    assert "49" not in {words for cell in page.texts.get("th", []) for words in cell.split()}  # no template ran it
    assert HOSTILE in page.texts["span"]  # a row's name, as it is
    assert any(HOSTILE in words for words in page.texts["option"])
    assert any(words.startswith(HOSTILE[:39]) for words in page.texts["text"])  # in a chart, cut at 40


def test_measured_figures_are_there(page: Page):
    cells = set(page.texts["td"])
    assert {"12.35", "1.235", "23.46"} <= cells  # K parameters, G MACs, M activations
    assert {"28.000", "0.85000"} <= cells  # bicubic
    assert "-0.100" in cells  # w_o_FM minus the baseline: the same noise in both
    assert any("collapsed at iteration 55" in note for note in page.texts["li"])
    assert "2.13.0" in page.texts["dd"]
    assert "train.iterations" in page.texts["dt"]


def test_sortable_tables_carry_numbers_for_the_script(page: Page):
    headers = [a for a in page.all("th") if a.get("scope") == "col"]
    assert headers
    assert all(header["aria-sort"] == "none" for header in headers)
    numbers = [a["data-value"] for a in page.all("td") if "data-number" in a]
    assert numbers
    assert all(np.isfinite(float(number)) for number in numbers)


def test_pictures_have_words_and_a_slider_a_name(page: Page):
    assert all(image["alt"] and image["src"].startswith("data:image/webp;base64,") for image in page.all("img"))
    divide, across, down = (control for control in page.all("input") if control["type"] == "range")
    assert divide["aria-label"]
    assert (across["aria-label"], down["aria-label"]) == ("Part across, in percent", "Part down, in percent")
    layers = [a for a in page.all("figure") if "layer" in a.get("class", "")]
    assert len(layers) == 4 + 2  # the networks that did not collapse, bicubic and HR
    assert [layer["data-side"] for layer in layers if "data-side" in layer] == ["left", "right"]


def test_long_and_many_curves_stay_small(tmp_path: Path):
    for index in range(10):
        write_run(tmp_path / f"v{index}", record(f"variant {index}", 0, 30.0), points=3000, weights=False)
    out = tmp_path / "out"
    assert main(["--runs", str(tmp_path), "--out", str(out), "--images", "0", "--no-lam", *FAST]) == 0
    assert (out / "index.html").stat().st_size < 1_000_000
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    assert len([a for a in page.all("svg") if a["aria-label"].startswith("Training loss")]) == 1  # 8 networks in one


def test_what_rounds_to_zero_has_no_sign():
    assert [rounded(value, 3, "+") for value in (-0.0004, 0.0004, -0.0006)] == ["0.000", "0.000", "-0.001"]
    assert in_table(-0.0004, Piece(key="delta", digits=3, signed=True)) == "0.000"


@pytest.mark.slow
def test_24_networks_with_three_seeds_take_less_than_5_mb(tmp_path: Path):
    for index in range(24):
        for seed in range(3):
            scores = {name: scores_of(25 + index / 50 + seed / 100) for name in ("Set5", "Set14", "B100", "Urban100")}
            losses = {10 * i: 1 / i + seed / 1000 for i in range(1, 300)}
            write_made_run(tmp_path / "runs", made_record(f"network_{index}", seed, scores), losses)
    assert main(["--runs", str(tmp_path / "runs"), "--out", str(tmp_path), "--images", "0", *FAST]) == 0
    assert (tmp_path / "index.html").stat().st_size < 5 * 10**6


def test_thinned_curve_keeps_its_mean():
    curve = Curve(0, np.arange(1.0, 1003.0), np.linspace(1, 0, 1002), None)
    thin = thinned(curve, 3)
    assert len(thin.loss) == 334
    assert thin.iterations[:2].tolist() == [2.0, 5.0]
    assert thin.loss.mean() == pytest.approx(curve.loss.mean())


def test_runs_without_weights_or_baseline_still_make_a_page(tmp_path: Path):
    write_run(tmp_path / "a", record("avg_pool", 0, 30.0), weights=False)
    write_run(tmp_path / "b", record("bn", 0, 30.0, scale=4), weights=False)
    assert main(["--runs", str(tmp_path), "--out", str(tmp_path / "out"), *FAST]) == 0
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    ids = {attributes.get("id") for attributes in page.all("section")}
    assert {"x2-overview", "x4-overview"} <= ids
    assert not {"x2-deltas", "x2-pictures", "x2-lam"} & ids


def test_pictures_beside_the_page_are_files_that_it_names(runs: Path, tmp_path: Path):
    call = ["--runs", str(runs), "--out", str(tmp_path), "--images", "1", "--no-lam", "--pictures", "beside", *FAST]
    assert main(call) == 0
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    images = [image["src"] for image in Page(text).all("img")]
    assert "data:image" not in text
    assert len(images) == 6  # bicubic, networks that did not collapse, HR; some of them equal
    files = {f"index_pictures/{path.name}" for path in (tmp_path / "index_pictures").iterdir()}
    assert set(images) == files
    assert all(re.fullmatch(r"index_pictures/[0-9a-f]{16}\.webp", name) for name in files)


def test_broken_weights_are_left_out_and_named(tmp_path: Path):
    write_run(tmp_path / "a", record("baseline", 0, 30.0))
    run = write_run(tmp_path / "b", record("broken", 0, 30.0))
    run.weights.write_bytes(b"no weights")
    out = tmp_path / "out"
    assert main(["--runs", str(tmp_path), "--out", str(out), "--images", "1", "--no-lam", *FAST]) == 0
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    assert any(note.startswith("broken: ") for note in page.texts["li"])
    assert len([a for a in page.all("figure") if "layer" in a.get("class", "")]) == 3


def test_runs_without_a_usable_loss_curve_are_named(tmp_path: Path):
    write_run(tmp_path / "a", record("baseline", 0, 30.0), weights=False)
    write_run(tmp_path / "b", record("bn", 0, 30.0), weights=False).losses.unlink()
    run = write_run(tmp_path / "c", record("fbn", 0, 30.0), weights=False)
    run.losses.write_text("iteration,loss,lr,seconds\n1,nan,0.001,1.0\n2,inf,0.001,1.0\n")
    assert main(["--runs", str(tmp_path), "--out", str(tmp_path / "out"), *FAST]) == 0
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    notes = " ".join(page.texts["li"])
    assert "No loss curve of bn seed 0: Cannot read" in notes
    assert "No loss curve of fbn seed 0: no loss is finite" in notes
    assert len([a for a in page.all("svg") if a["aria-label"] == "Training loss of baseline"]) == 1


def test_profiles_are_shown_as_they_are(tmp_path: Path):
    write_run(tmp_path / "a", record("baseline", 0, 30.0), weights=False)
    profile = tmp_path / "latency.csv"
    profile.write_text("model,scale,median_ms,peak_memory_mib\nsafmn,4,5.25,<b>\n")
    assert main(["--runs", str(tmp_path), "--out", str(tmp_path / "out"), "--profiles", str(profile), *FAST]) == 0
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert {"5.25", "<b>"} <= set(page.texts["td"])


def test_busiest_window_is_where_the_detail_is_and_is_framed():
    hr = np.full((64, 64, 3), 128, dtype=np.uint8)
    hr[32:48:2, 16:32:2] = 255
    window = busiest_window(picture_of("p", hr, 2), 16)
    assert window == Window(16, 32, 16)
    marked = framed(hr, window)
    assert marked[31, 20].tolist() == [227, 0, 15]
    assert np.array_equal(marked[32:48, 16:32], hr[32:48, 16:32])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--runs", "nowhere"], "nowhere is not a folder"),
        (["--images", "-1"], "--images -1 is not a whole number of at least 0"),
        (["--steps", "0"], "--steps 0 is not a whole number of at least 1"),
        (["--lam-window", "250", "0", "16"], "Window 250 0 16 leaves the middle of astronaut.png"),
        (["--profiles", "nothing.csv"], "Cannot read nothing.csv"),
        (["--device", "cuda:9"], "Device 'cuda:9' is not there"),
        (["--out", f"{__file__}/report"], "Choose another place with --out"),
    ],
)
def test_wrong_call_is_one_clear_paragraph(runs: Path, tmp_path: Path, change: list[str], message: str, capsys):
    call = ["--runs", str(runs), "--out", str(tmp_path / "out"), "--images", "0", *FAST, *change]
    assert main(call) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()
