"""Every command asks one resolver: SAFMN is the published network by that name, and the reference as `baseline`."""

from pathlib import Path

import pytest
import torch

from safmn_bench.analysis.networks import subjects
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import as_trained, find_candidate, network_key, trained_name
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.complexity import main as complexity
from safmn_bench.profiling.timing.forms import Job
from safmn_bench.profiling.timing.interleaved import Timed
from safmn_bench.profiling.timing.table import paper

SPELLINGS = ("safmn", "SAFMN", " Safmn ")


@pytest.mark.parametrize("name", SPELLINGS)
def test_safmn_is_the_published_network_and_what_trains_is_the_baseline(name: str):
    found = find_candidate(name)
    assert (found.name, found.title) == ("safmn", "SAFMN")
    assert found.config == VARIANTS["baseline"].config
    assert as_trained(found) is VARIANTS["baseline"]
    assert trained_name(found) == "baseline"
    assert network_key(name) == network_key("baseline") == "baseline"


@pytest.mark.parametrize("name", [name for name in (*VARIANTS, *MODELS) if name != "safmn"])
def test_every_other_name_is_its_own(name: str):
    found = find_candidate(name.upper().replace("_", "-"))
    assert found.name == trained_name(found) == name
    assert network_key(found.title) == network_key(name)


def test_complexity_of_safmn_shows_the_figures_of_table_1_and_of_the_baseline_those_of_table_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert complexity(["--models", "safmn", "--scale", "2", "--csv", str(tmp_path / "a.csv")]) == 0
    header, line = (tmp_path / "a.csv").read_text().splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert row["model"] == "SAFMN"
    published = [row[f"paper_{column}"] for column in ("params_k", "flops_g", "acts_m")]
    assert published == ["228", "52", "299"]  # Table 1, SAFMN x2
    assert complexity(["--models", "baseline", "--csv", str(tmp_path / "b.csv")]) == 0
    assert ",239.52,13.56,76.70," in (tmp_path / "b.csv").read_text()  # Table 3, baseline


@pytest.mark.parametrize("name", ["safmn", "baseline"])
def test_timed_safmn_stands_beside_table_2_by_either_name(name: str):
    job = Job(model=name, scale=4, implementation="eager", dtype="fp32", device="cpu", height=180, width=320, threads=1)
    assert job.name == name
    assert paper(Timed(job=job)) == {"paper_time_ms": "10.71", "paper_memory_m": "65.26"}  # Table 2, SAFMN


def test_lam_and_figures_title_safmn_as_published(tmp_path: Path):
    torch.save({"params": find_candidate("safmn").build(2).state_dict()}, tmp_path / "w.pt")
    names = ["safmn", "baseline", "bicubic"]
    found = subjects(names, [tmp_path / "w.pt"] * 2, None, 2, torch.device("cpu"))
    assert [(one.name, one.title) for one in found] == [
        ("safmn", "SAFMN"), ("baseline", "baseline"), ("bicubic", "Bicubic"),
    ]  # fmt: skip


def test_the_beginning_of_a_name_suggests_what_begins_so_before_what_is_alike():
    with pytest.raises(UserError, match=r"No variant or model 'edsr'. Did you mean 'edsr_baseline' or 'vdsr'"):
        find_candidate("edsr")
    with pytest.raises(UserError, match=r"Did you mean 'ecbsr_m16c64'"):
        find_candidate("ecbsr")


def test_unknown_variant_suggests_the_nearest():
    with pytest.raises(UserError, match=r"No variant or model 'safnm'. Did you mean 'safmn'"):
        find_candidate("safnm")
