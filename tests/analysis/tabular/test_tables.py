"""Tables 1 to 5: what stands in which column, marks, footnotes, and that no name breaks a format."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from made_records import made_record, scores_of, write_run
from scipy import stats

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.profiles import Profiles, read_profiles
from safmn_bench.analysis.tables import main
from safmn_bench.analysis.tabular.command import tabulate, to_csv, to_latex, to_markdown
from safmn_bench.analysis.tabular.table import MEASURED, Column, Piece, Row, Table
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.paper import read_table

HOSTILE = r"<script>alert(1)</script> 100%_\end{tabular}|`*[x](y)$&#~^ 中 \x"
PAPER_METHODS = {row["method"] for row in read_table("table1.csv")}
COLLAPSE = {"iteration": 40, "reason": "loss not finite", "weights_from_iteration": 20}


def rows_of(number: int, records: list[Record], profiles: Profiles | None = None) -> list[dict[str, str]]:
    text = to_csv(tabulate(number, records, profiles or Profiles()))
    return list(csv.DictReader(io.StringIO(text)))


def sweep(difference_db: float, variant: str = "w_o_FM", scatter_db: float = 0.01) -> list[Record]:
    """Three seeds of the baseline and of a variant that differs from it."""
    records = []
    for seed in range(3):
        shift = scatter_db * seed
        records.append(made_record("baseline", seed, {"Manga109": scores_of(30.0 + shift)}))
        ours = 30.0 + difference_db + shift * (-1 if seed % 2 else 1)
        records.append(made_record(variant, seed, {"Manga109": scores_of(ours)}))
    return records


def test_missing_measurements_are_empty_and_never_the_published_figure():
    for number in (1, 2, 3, 4, 5):
        for row in rows_of(number, []):
            assert not [key for key, value in row.items() if key.startswith("measured_") and value], row
            assert any(value for key, value in row.items() if key.startswith("paper_"))
    lines = to_markdown(tabulate(4, [], Profiles())).splitlines()
    assert lines[4].endswith("| 30.21 / 0.8319 | 29.86 / 0.8988 | – | – | – | – | – | – |")


def test_published_figures_stand_as_printed_and_measured_ones_unrounded():
    row = next(row for row in rows_of(3, sweep(-0.2)) if row["variant"] == "w_o_FM")
    assert (row["paper_params_k"], row["paper_Manga109_psnr"]) == ("239.52", "30.32")
    assert (row["measured_params"], row["measured_flops"], row["measured_runs"]) == ("239520", "13554915840", "3")
    assert float(row["measured_Manga109_psnr_db"]) == pytest.approx(30 - 0.2 + 0.01 / 3)
    assert row["measured_DIV2K_val_psnr_db"] == ""


def test_large_difference_has_its_interval_and_a_small_one_is_not_significant():
    (clear,) = [row for row in rows_of(3, sweep(-0.2)) if row["variant"] == "w_o_FM"]
    assert clear["measured_Manga109_psnr_db_delta_verdict"] == ""
    assert float(clear["measured_Manga109_psnr_db_delta_p"]) < 0.01
    (noise,) = [row for row in rows_of(3, sweep(-0.005)) if row["variant"] == "w_o_FM"]
    assert noise["measured_Manga109_psnr_db_delta_verdict"] == "n.s."
    shown = to_markdown(tabulate(3, sweep(-0.005), Profiles()))
    assert re.search(r"\| −0\.0\d\d ± 0\.0\d\d n\.s\. \(0\.0\d\d\) \|", shown)


def test_one_seed_shows_a_difference_that_was_not_tested():
    records = [made_record("baseline"), made_record("w_o_FM", 0, {"Manga109": scores_of(29.9)})]
    assert "| −0.100 untested |" in to_markdown(tabulate(3, records, Profiles()))


def test_collapsed_runs_carry_an_asterisk_a_note_and_no_difference():
    collapsed = made_record("w_o_LN", 0, {"Manga109": scores_of(28.0)}, status="collapsed", collapse=COLLAPSE)
    table = tabulate(3, [*sweep(-0.2), collapsed], Profiles())
    line = next(line for line in to_markdown(table).splitlines() if "| w\\_o\\_LN |" in line)
    assert "| 30.29 / 0.8340\\* |" in line  # published: collapsed too
    assert "| 28.000 / 0.8000\\* | – |" in line
    assert any("w_o_LN seed 0: training collapsed at iteration 40 (loss not finite)" in note for note in table.notes)


def test_best_is_bold_and_second_best_underlined_by_what_is_shown():
    scores = [30.126, 30.1259, 29.5, 28.0]  # the first two print alike
    rows = [Row(values={"name": f"n{i}", "psnr": value}) for i, value in enumerate(scores)]
    rows.append(Row(values={"name": "crash", "psnr": 31.0}, collapsed=frozenset({MEASURED})))
    columns = [
        Column(title="name", pieces=[Piece(key="name")]),
        Column(title="PSNR", pieces=[Piece(key="psnr", digits=2, better=1)], band=MEASURED, starred=True),
    ]
    table = Table(heading="Table 1.", title="t", fields=["name", "psnr"], columns=columns, rows=rows)
    cells = re.findall(r"n\d & (.*) \\\\", to_latex(table))
    assert cells == [r"\textbf{30.13}", r"\textbf{30.13}", r"\underline{29.50}", "28.00"]
    assert "crash & 31.00$^{*}$" in to_latex(table)


def test_a_wide_latex_table_goes_on_below_in_one_float_of_one_label():
    text = to_latex(tabulate(3, sweep(-0.2), Profiles()))
    assert text.count(r"\begin{table*}") == text.count(r"\label{tab:safmn-bench-3}") == text.count(r"\caption{") == 1
    published, measured = text.split(r"\end{tabular}")[:2]
    assert len(re.findall(r"^w\\_o\\_\w+", published, re.MULTILINE)) == 11  # all of the paper's with such a name
    assert "Manga109 & Manga109" in measured
    assert "DIV2K" not in measured  # nothing was measured on it
    assert "resizebox" not in text
    assert "measured: DIV2K" not in to_markdown(tabulate(3, sweep(-0.2), Profiles()))


def test_runs_of_another_budget_have_a_row_of_their_own():
    longer = {**made_record().recipe, "train": {"iterations": 900, "patch": 16, "batch": 8}}
    records = [*sweep(-0.2), made_record("w_o_FM", 5, recipe=longer)]
    rows = [row for row in rows_of(3, records) if row["variant"].startswith("w_o_FM") and row["measured_runs"]]
    assert [(row["variant"], row["measured_runs"]) for row in rows] == [
        ("w_o_FM", "3"),
        ("w_o_FM (iterations 900, patch 16, batch 8)", "1"),
    ]
    assert rows[1]["paper_params_k"] == rows[1]["measured_Manga109_psnr_db_delta"] == ""


def test_footnote_tells_recipe_data_seeds_hardware_versions_commit_and_date():
    notes = "\n".join(tabulate(3, sweep(-0.2), Profiles()).notes)
    assert (
        "Measured: recipe quick, iterations 100, patch 16, batch 8, sampling image, trained on embedded (11 images), "
        "seeds 0 and 1 and 2, a processor (2 threads), torch 2.13.0, commit 0123456789, 2026-11-23."
    ) in notes
    assert "Protocol x4: PSNR (dB) and SSIM of luma (BT.601, 16-235" in notes


def test_table_1_has_scored_weights_and_bicubic_beside_the_published_rows(tmp_path: Path):
    scores, again = tmp_path / "scores.csv", tmp_path / "again.csv"
    head = "model,scale,weights,dataset,image,psnr_y_db,ssim_y\n"
    scores.write_text(
        head + "safmn,2,w/safmn_x2.pth,set5,baby,39.0,0.97\nsafmn,2,w/safmn_x2.pth,set5,mean,38.016,0.9606\n"
    )
    again.write_text(scores.read_text().replace("38.016", "38.017"))
    with pytest.raises(UserError, match=r"again.csv scores safmn x2 on set5 with 38.017 dB, an earlier file with 38"):
        read_profiles([scores, again])
    profiles = read_profiles([scores, scores])
    notes = tabulate(1, [], profiles).notes
    assert "Scored with weights from a file, by evaluate.py: safmn x2 with safmn_x2.pth." in notes
    rows = rows_of(1, [made_record()], profiles)
    assert len(rows) == 45
    (safmn,) = [row for row in rows if (row["method"], row["scale"]) == ("SAFMN", "2")]
    assert (safmn["measured_Set5_psnr_db"], safmn["paper_Set5_psnr"]) == ("38.016", "38.00")
    assert safmn["measured_setting"] == "safmn_x2.pth"
    (bicubic,) = [row for row in rows if (row["method"], row["scale"]) == ("Bicubic", "4")]
    assert (bicubic["measured_Manga109_psnr_db"], bicubic["paper_Manga109_psnr"]) == ("24.89", "24.89")


def test_counts_without_a_run_fill_every_variant_and_bring_their_reasons(tmp_path: Path):
    counts = tmp_path / "complexity.csv"
    counts.write_text(
        "model,scale,params,flops,acts,note\nw_o_LN_lr1e-4,4,238368,13554915840,76700160,\n"
        'n12,4,350976,1,1,"params_k: cut; not rounded; acts_m: three digits"\n'
    )
    profiles = read_profiles([counts])
    (row,) = [row for row in rows_of(3, [], profiles) if row["variant"] == "w_o_LN_lr1e-4"]
    assert (row["measured_params"], row["paper_params_k"]) == ("238368", "238.37")
    assert not [row for row in rows_of(1, [], profiles) if row["method"] not in PAPER_METHODS]
    (note,) = [note for note in tabulate(4, [], profiles).notes if note.startswith("Counted")]
    assert note == (
        "Counted otherwise than published: n12 x4: parameters: cut; not rounded; n12 x4: activations: three digits."
    )


def test_table_2_and_5_take_their_figures_from_profiles(tmp_path: Path):
    latency = tmp_path / "latency.csv"
    latency.write_text(
        "model,scale,implementation,device,dtype,lr_height,lr_width,median_ms,p10_ms,p90_ms,runs,peak_memory_mib\n"
        "safmn,4,eager,cuda,float32,180,320,3.5,3.4,3.75,50,61.25\n"
        "safmn,4,compiled,cuda,float32,180,320,2.5,2.4,2.75,50,60.25\nsafmn,2,eager,cuda,float32,180,320,9,9,9,50,9\n"
    )
    operators = tmp_path / "ops.csv"
    operators.write_text(
        "operation,calls,self_time_us,share,paper_us\nLayerNorm,16,120.5,0.4,465\nconvolution,30,500,0.5,\n"
    )
    profiles = read_profiles([latency, operators])
    two = [row for row in rows_of(2, [], profiles) if row["method"] == "SAFMN"]
    assert [row["measured_median_ms"] for row in two] == ["3.5", "2.5"]
    assert [row["paper_avg_time_ms"] for row in two] == ["10.71", ""]
    five = rows_of(5, [], profiles)
    assert (five[0]["paper_us"], five[0]["measured_ops_self_time_us"]) == ("465", "120.5")
    assert [row["operation"] for row in five][6:] == ["convolution"]


def test_hostile_names_are_text_in_every_format():
    records = [*sweep(-0.2), made_record(HOSTILE, 0, {HOSTILE: scores_of(29.0)})]
    table = tabulate(3, records, Profiles())
    (row,) = [row for row in csv.DictReader(io.StringIO(to_csv(table))) if row["variant"].startswith("<script>")]
    assert row["variant"] == HOSTILE
    markdown = to_markdown(table)
    assert "<" not in markdown
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    latex = to_latex(table)
    assert r"\textless{}script\textgreater{}alert(1)" in latex
    assert r"100\%\_\textbackslash{}end\{tabular\}\textbar{}" in latex
    assert r"\texttt{U+4E2D}" in latex


def test_command_writes_a_file_and_refuses_what_it_cannot_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_run(tmp_path / "runs", made_record())
    out = tmp_path / "t.tex"
    call = ["--table", "4", "--format", "latex", "--runs", str(tmp_path / "runs"), "--out", str(out)]
    assert main(call) == 0
    assert out.read_text().count(r"\caption{") == 1
    assert main(["--table", "4", "--runs", str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns a, b, which no script"):
        read_profiles([tmp_path / "odd.csv"])


def test_table_6_has_counts_scores_and_times_of_rivals_beside_published_costs(tmp_path: Path):
    scores, times, counts = (tmp_path / f"{name}.csv" for name in ("scores", "latency", "complexity"))
    scores.write_text(
        "model,scale,weights,dataset,image,psnr_y_db,ssim_y\nsmfanet_plus,4,w/plus.pth,Set5,mean,32.5108,0.8985\n"
    )
    times.write_text(
        "model,scale,implementation,dtype,median_ms,peak_memory_mib,hardware,threads,lr_width,lr_height,torch,date\n"
        "smfanet_plus,4,eager,fp32,250.5,90,a processor,2,320,180,2.13.0,2026-11-25\n"
        "safmn,4,eager,fp32,436.25,90,a processor,2,320,180,2.13.0,2026-11-25\n"
        "safmn,4,fast,fp32,247.0,90,a processor,2,320,180,2.13.0,2026-11-25\n"
    )
    counts.write_text(
        "model,scale,params,flops,acts,note\n"
        "SMFANet+,4,495888,26214312960,388085760,flops_g: at full size\nSAFMN,4,239520,13554915840,76700160,\n"
    )
    profiles = read_profiles([scores, times, counts])
    table = tabulate(6, [], profiles)
    rows = rows_of(6, [], profiles)
    (plus,) = [row for row in rows if row["method"] == "SMFANet+" and row["scale"] == "4"]
    assert (plus["paper_params_k"], plus["paper_flops_g"], plus["measured_flops"]) == ("496", "28", "26214312960")
    assert (plus["measured_Set5_psnr_db"], plus["measured_eager_ms"]) == ("32.5108", "250.5")
    (safmn,) = [row for row in rows if row["method"] == "SAFMN"]
    assert (safmn["measured_eager_ms"], safmn["measured_fast_ms"]) == ("436.25", "247.0")
    assert len(rows) == 15 + 1
    assert "Times: medians of interleaved rounds on a processor, 2 threads, LR 320x180" in "\n".join(table.notes)
    assert "SMFANet+ x4: FLOPs: at full size" in "\n".join(table.notes)


def test_two_times_of_one_network_in_one_form_do_not_compare(tmp_path: Path):
    times = tmp_path / "latency.csv"
    times.write_text("model,scale,median_ms,peak_memory_mib\nrlfn,4,1.0,9\nrlfn,4,2.0,9\n")
    with pytest.raises(UserError, match=r"rlfn x4 was timed twice as eager: 1.0 ms and 2.0 ms"):
        tabulate(6, [], read_profiles([times]))


def test_what_was_not_found_says_what_could_have_been():
    """A paired t-test of the differences 0, 0.02 and 0 dB has two degrees of freedom; power by the noncentral t."""
    (noise,) = [row for row in rows_of(3, sweep(-0.005)) if row["variant"] == "w_o_FM"]
    error = np.std([0, 0.02, 0], ddof=1) / np.sqrt(3)
    least = float(noise["measured_Manga109_psnr_db_delta_detectable"]) / error
    critical = 4.302653  # t tables: two-sided 5 % at two degrees of freedom
    assert stats.nct.sf(critical, 2, least) + stats.nct.cdf(-critical, 2, least) == pytest.approx(0.8, abs=1e-4)


def test_the_noise_floor_stands_under_the_table():
    """A difference of two runs of one seed scatters by the square root of 2 times what a run does."""
    (note,) = [note for note in tabulate(3, sweep(-0.2), Profiles()).notes if note.startswith("Noise floor")]
    differences = np.array([0, -0.02, 0])
    assert f"{np.std(differences, ddof=1) / np.sqrt(2):.4f} dB on Manga109" in note
    assert "2 degrees of freedom" in note
    assert not [n for n in tabulate(3, sweep(-0.2)[:2], Profiles()).notes if n.startswith("Noise floor")]


def test_variants_of_one_function_are_named_and_counted_once():
    records = sweep(-0.2, "w_o_LN") + sweep(-0.2, "fbn")[1::2] + sweep(-0.2, "w_o_FM")[1::2]
    notes = tabulate(3, records, Profiles()).notes
    assert "Counted once among the comparisons: fbn computes what w_o_LN computes, to rounding." in notes
    assert any("(2 compared; Holm)" in note for note in notes)
