"""What is committed in results/: every measured number traces to a record, and what is derived comes out again."""

import csv
import datetime
import hashlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from safmn_bench.ablations.recipe import UNDECIDING
from safmn_bench.analysis.findings.command import write_findings, write_tables
from safmn_bench.analysis.findings.options import StudyOptions
from safmn_bench.analysis.findings.runs import read_study
from safmn_bench.analysis.tables import main as tables
from safmn_bench.models.mappings import flattened

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
RECORDS = [path for path in sorted(RESULTS.rglob("record.json")) if "runs" not in path.relative_to(RESULTS).parts]
STUDIES = sorted(path for path in (RESULTS / "ablation").glob("*/") if any(path.glob("*/x4/seed*/record.json")))
ENDINGS = {"csv": "csv", "latex": "tex", "markdown": "md"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def loaded(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def assert_origin(origin: dict[str, Any], where: Path) -> None:
    """It names a commit, a machine, versions and a date."""
    assert re.fullmatch(r"[0-9a-f]{40}", origin["commit"]), f"{where}: commit {origin['commit']!r}"
    assert origin["machine"]["name"], where
    assert origin["machine"]["threads"] >= 1, where
    assert origin["versions"]["torch"], where
    assert datetime.datetime.fromisoformat(origin["date"]).tzinfo is not None, where


def test_every_record_names_commit_machine_versions_date_and_seed():
    assert len(RECORDS) >= 8
    for path in RECORDS:
        record = loaded(path)
        assert_origin(record, path)
        assert record["status"] in ("finished", "collapsed"), path
        assert path.parts[-4:-1] == (record["variant"], f"x{record['scale']}", f"seed{record['seed']}"), path


def test_every_config_hashes_to_its_records_hash():
    for path in RECORDS:
        record = loaded(path)
        if record.get("tuned") == 1:  # a copy: the run lies beside the tuned ones, in <study>/<network>/x4/seed<n>
            path = path.parents[4] / path.relative_to(path.parents[3])
        config = yaml.safe_load(path.with_name("config.yaml").read_text(encoding="utf-8"))
        digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
        assert digest == record["config_hash"], path
        known = ("name", *UNDECIDING)
        recipe = {key: value for key, value in flattened(record["recipe"]).items() if key not in known}
        assert recipe == flattened(config["recipe"]), path
        assert (record["variant"], record["seed"], record["config"]) == (
            *(config["variant"], config["seed"], config["network"]),
        ), path


def test_every_mean_score_is_that_of_its_images():
    for path in RECORDS:
        record = loaded(path)
        for scores in [*record["scores"].values(), *record["bicubic"].values()]:
            for metric in ("psnr_y_db", "ssim_y"):
                values = [image[metric] for image in scores["images"].values()]
                assert scores[metric] == pytest.approx(sum(values) / len(values), rel=1e-12), path


def test_every_line_of_a_sweep_is_its_records():
    for path in sorted(RESULTS.rglob("sweep.csv")):
        runs = {
            (loaded(run)["config_hash"], run.parent.parent.parent.name): run for run in path.parent.rglob("record.json")
        }
        for row in rows_of(path):
            run = runs[row["config_hash"], row["variant"]].parent
            assert (run.parent.name, run.name) == (f"x{row['scale']}", f"seed{row['seed']}")
            record = loaded(run / "record.json")
            assert (row["status"], row["iterations"]) == (record["status"], str(record["iterations"])), run
            assert float(row["train_seconds"]) == record["train_seconds"], run
            for name, scores in record["scores"].items():
                for metric in ("psnr_y_db", "ssim_y"):
                    assert float(row[f"{name}_{metric}"]) == scores[metric], run


@pytest.mark.parametrize("path", sorted((RESULTS / "measured").glob("*.csv")), ids=lambda path: path.name)
def test_measured_csv_has_its_provenance_beside_it(path: Path):
    origin = loaded(path.with_name(f"{path.name}.json"))
    assert_origin(origin, path)
    assert origin["csv_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin["command"].startswith("python ")
    assert path.name in origin["command"]
    weights = {row.get("weights") for row in rows_of(path)} - {None, ""}
    assert len(weights) == len(origin["files"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", file["sha256"]) for file in origin["files"].values())


@pytest.mark.parametrize("path", sorted((RESULTS / "benchmarks").glob("*.csv")), ids=lambda path: path.name)
def test_benchmark_names_hardware_versions_commit_and_date(path: Path):
    beside = path.with_name(f"{path.name}.json")
    extra = loaded(beside) if beside.exists() else {}
    for row in rows_of(path):
        origin = {**row, **extra}
        assert origin["hardware"], path
        assert origin["torch"], path
        assert re.fullmatch(r"[0-9a-f]{40}", origin["commit"]), path
        assert datetime.date.fromisoformat(origin["date"][:10]), path


def commands_of_readme() -> list[list[str]]:
    """The calls of tables.py in results/README.md, patterns replaced by the files they mean; Table 4 as Table 3."""
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"`python analysis/tables\.py (--table [^`]+--out results/[^`]+)`", text)
    lines += [
        re.sub(r"table3|--table 3", lambda m: m[0].replace("3", "4"), line) for line in lines if "/table3" in line
    ]
    return [
        [str(path) for word in shlex.split(line) for path in (sorted(ROOT.glob(word)) if "*" in word else [word])]
        for line in lines
        if not re.search("quick|tuning", line) or "table3" in line
    ]


def test_tables_come_out_again_byte_for_byte_by_the_commands_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    commands = commands_of_readme()
    assert [call[-1] for call in commands] == [
        "results/tuning/table3.csv", "results/quick/table3.csv",
        *(f"results/tables/table{number}.csv" for number in (1, 3, 2, 5, 6, 4)),
    ]  # fmt: skip
    for call in commands:
        for form, ending in ENDINGS.items():
            again, committed = tmp_path / f"again.{ending}", (ROOT / call[-1]).with_suffix(f".{ending}")
            format_at = call.index("--format") + 1
            assert tables([*call[:format_at], form, *call[format_at + 1 : -1], str(again)]) == 0
            assert again.read_bytes() == committed.read_bytes(), committed


@pytest.mark.skipif(not STUDIES, reason="results/ablation/ holds no study")
@pytest.mark.parametrize("folder", STUDIES, ids=lambda path: path.name)
def test_tables_and_findings_of_a_study_come_out_again_byte_for_byte(folder: Path, tmp_path: Path):
    study = read_study(folder)
    options = StudyOptions(runs=folder, records_only=True)
    for path in [*write_tables(study, tmp_path), *write_findings(study, tmp_path, options)]:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name


@pytest.mark.skipif(not STUDIES, reason="results/ablation/ holds no study")
@pytest.mark.parametrize("folder", STUDIES, ids=lambda path: path.name)
def test_every_line_of_a_study_leads_to_a_record_and_no_variant_keeps_over_2_mb_of_weights(folder: Path):
    hashes = {loaded(path)["config_hash"] for path in folder.rglob("record.json")}
    for name in ("collapse.csv", "lam.csv"):
        rows = rows_of(folder / name) if (folder / name).exists() else []
        assert {row["config_hash"] for row in rows} <= hashes, name
    if (folder / "lam.csv").exists():
        origin = loaded(folder / "lam.csv.json")
        assert_origin(origin, folder / "lam.csv.json")
        assert origin["csv_sha256"] == hashlib.sha256((folder / "lam.csv").read_bytes()).hexdigest()
    for variant in folder.glob("*/x4"):
        assert sum(path.stat().st_size for path in variant.rglob("*.pt")) <= 2 * 10**6, variant
    assert (folder / "report.html").stat().st_size < 10 * 10**6


@pytest.mark.skipif(not STUDIES, reason="results/ablation/ holds no study")
def test_the_front_pages_table_is_that_of_a_study():
    front = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(front) if line.startswith("| variant | params"))
    rows = front[start : front.index("", start)]
    assert len(rows) >= 10
    assert any(set(rows) <= set((study / "README.md").read_text(encoding="utf-8").splitlines()) for study in STUDIES)
