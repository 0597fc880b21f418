"""The challenge's score: its formula, its published figures, and times of our own."""

from pathlib import Path

import pytest

from safmn_bench.analysis.stats.profiles import read_profiles
from safmn_bench.analysis.tables import main
from safmn_bench.analysis.tabular.ntire import CHALLENGES, ntire_table, score
from safmn_bench.analysis.tabular.options import YEARS
from safmn_bench.models.errors import UserError

HEAD = "model,scale,implementation,dtype,median_ms,mean_ms,protocol,peak_memory_mib,hardware,threads\n"


def test_the_command_offers_every_year_that_has_rules():
    assert set(YEARS) == set(CHALLENGES)


@pytest.mark.parametrize("year", CHALLENGES)
def test_the_baseline_scores_7_3891_as_the_organisers_print(year: int):
    assert score(CHALLENGES[year], time=1, flops=1, params=1) == pytest.approx(7.3891, abs=5e-5)


@pytest.mark.parametrize(("year", "expected"), [(2025, 0.7 * 2.718282 + 0.3 * 7.389056), (2026, 3.652437)])
def test_half_the_time_by_hand(year: int, expected: float):
    """2026: 0.8 e + 0.2 e^2 = 2.174625 + 1.477811."""
    assert score(CHALLENGES[year], time=0.5, flops=1, params=1) == pytest.approx(expected, abs=1e-5)


def timed(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "".join(f"{row},50,a processor,2\n" for row in rows))
    return path


def test_networks_are_scored_against_the_baseline_of_their_own_call(tmp_path: Path):
    file = timed(
        tmp_path / "l.csv", "span_ntire26,4,eager,fp32,100,110,ours", "spanv2,4,eager,fp32,50,90,ours",
        "span_ntire26,4,eager,fp32,100,110,ntire", "spanv2,4,eager,fp32,50,55,ntire",
    )  # fmt: skip
    rows = [row.values for row in ntire_table(2026, read_profiles([file])).rows]
    assert [row["method"] for row in rows[:2]] == ["SPAN-NTIRE26", "SPANv2"]  # published
    assert rows[0]["paper_score"] == "7.389"
    # 0.8 e^(2 x 5.24 / 7.74) + 0.1 e^(2 x 1.59 / 9.83) + 0.1 e^(2 x 139 / 151) = 3.0984 + 0.1382 + 0.6303
    assert rows[1]["paper_score"] == "3.867"
    assert [row["method"] for row in rows[2:]] == ["SPANv2", "SPAN-NTIRE26"] * 2
    # 0.8 e + 0.1 e^(2 x 9107931136 / 9833807872) + 0.1 e^(2 x 139104 / 150688)
    assert rows[2]["measured_score"] == rows[4]["measured_score"] == pytest.approx(3.4457, abs=1e-4)
    assert rows[3]["measured_score"] == pytest.approx(7.3891, abs=5e-5)


def test_without_the_baseline_there_is_no_score(tmp_path: Path):
    file = timed(tmp_path / "l.csv", "spanv2,4,eager,fp32,50,90,ours")
    with pytest.raises(UserError, match=r"needs the baseline span_ntire26 timed in the same call.*latency.py --models"):
        ntire_table(2026, read_profiles([file]))


@pytest.mark.parametrize(("psnr", "expected"), [("26.90", "yes"), ("26.89", "no")])
def test_psnr_of_the_challenges_set_decides_who_is_ranked(psnr: str, expected: str, tmp_path: Path):
    file = timed(tmp_path / "l.csv", "span_ntire26,4,eager,fp32,100,110,ours")
    scores = tmp_path / "s.csv"
    columns = "model,scale,weights,dataset,image,psnr_y_db,ssim_y,psnr_rgb_db\n"
    scores.write_text(f"{columns}span_ntire26,4,w.pth,DIV2K_LSDIR_valid,mean,28.5,0.8,{psnr}\n")
    assert ntire_table(2026, read_profiles([file, scores])).rows[-1].values["measured_eligible"] == expected


def test_what_the_score_cannot_say_stands_under_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = timed(tmp_path / "l.csv", "efdn,4,eager,fp32,100,110,ours")
    assert main(["--ntire", "2025", "--profiles", str(file)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("**NTIRE 2025.** Score of NTIRE 2025's challenge")
    assert "operators that fvcore does not count are free in it" in printed
    assert "Not counted in efdn: " in printed
