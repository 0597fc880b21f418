"""Latency: the statistics against known values, the warm-up's rule, the order of turns, memory, and the command."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from own_networks import write_networks
from skimage import data

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.machine import hardware_slug, result_file
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.latency import main
from safmn_bench.profiling.timing import clock
from safmn_bench.profiling.timing import interleaved as rounds
from safmn_bench.profiling.timing import table as latency_table
from safmn_bench.profiling.timing.clock import is_flat, median_interval, places, spread, warm_up
from safmn_bench.profiling.timing.forms import Job, prepare
from safmn_bench.profiling.timing.interleaved import Timed, measure, referee, turns
from safmn_bench.profiling.timing.workers import WorkerFailed

CONTRACT = "model,scale,implementation,device,dtype,lr_height,lr_width,median_ms,p10_ms,p90_ms,runs,peak_memory_mib"


def job(model: str = "safmn", **changes: Any) -> Job:
    fields = {"scale": 4, "implementation": "eager", "dtype": "fp32", "device": "cpu", "height": 180, "width": 320}
    return Job(**{"model": model, "threads": 1, **fields, **changes})


def test_spread_of_1_to_11_ms():
    found = spread([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11]])
    assert (found.median_ms, found.p10_ms, found.p90_ms, found.mean_ms, found.runs) == (6, 2, 10, 6, 11)
    assert (found.ci_low_ms, found.ci_high_ms) == (3.5, 9)  # medians of the first and of the second round alone


def test_interval_of_one_round_agrees_with_the_binomial_interval_of_a_median():
    """Distribution-free: the 95 % interval of a median of 100 lies between the 40th and the 61st value."""
    values = np.random.default_rng(3).permutation(100) + 1.0
    low, high = median_interval([[v] for v in values])
    assert low == pytest.approx(40, abs=2)
    assert high == pytest.approx(61, abs=2)


def test_interval_draws_whole_rounds_because_their_runs_are_alike():
    drifting = [[10.0] * 5, [11.0] * 5, [12.0] * 5, [13.0] * 5]
    low, high = median_interval(drifting)
    single_low, single_high = median_interval([[ms] for times in drifting for ms in times])
    assert high - low > single_high - single_low
    assert (low, high) == (10, 13)


def test_overlapping_intervals_share_their_places():
    assert places([(1, 2), (5, 6), (5.5, 7), (9, 9.5)]) == [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert places([(1, 4), (3, 6), (5, 8)]) == [(1, 2), (1, 3), (2, 3)]


def test_warm_up_ends_when_three_windows_agree_within_3_percent():
    times = iter([900.0, 50, 40, 30, 25, *[20.0] * 5, *[10.2] * 5, *[10.0] * 5, *[10.1] * 5, *[1.0] * 50])
    found = warm_up(lambda: next(times))
    assert found.flat
    assert len(found.times_ms) == 25
    assert found.windows()[0] == [900, 50, 40, 30, 25]
    assert not is_flat(found.windows()[:4])


def test_noise_about_a_steady_time_is_called_flat_and_a_fall_beneath_it_is_not():
    """With 6 % of noise, medians of five differ by more than 3 % in most draws (expected range 1.69 x 0.535 x 6 %)."""
    rng = np.random.default_rng(0)
    steady = 100 + 6 * rng.standard_normal((1000, 3, 5))
    assert 0.85 < np.mean([is_flat(windows) for windows in steady]) < 0.95
    fall = np.linspace(60, 0, 15).reshape(3, 5)  # 4 % a run
    assert np.mean([is_flat(windows) for windows in steady + fall]) < 0.05
    assert not is_flat([[10, 10, 10, 10, 10], [9, 9, 9, 9, 9], [8, 8, 8, 8, 8]])


def test_the_limit_of_the_warm_up_begins_after_the_first_pass_which_compiles(monkeypatch: pytest.MonkeyPatch):
    now = 0.0

    def timed() -> float:
        nonlocal now
        seconds = 60.0 if now == 0.0 else 0.01  # the first pass alone takes longer than the limit of 20 s
        now += seconds
        return 1e3 * seconds

    monkeypatch.setattr(clock.time, "monotonic", lambda: now)
    found = clock.warm_up(timed)
    assert found.flat
    assert len(found.times_ms) == 15  # three windows; before, the limit ended it after the first


def test_warm_up_that_keeps_falling_is_not_called_flat():
    times = iter(np.geomspace(1000, 1, 200))
    found = warm_up(lambda: float(next(times)), most_runs=60)
    assert not found.flat
    assert len(found.times_ms) == 60


def test_photograph_is_the_astronaut_at_its_own_size_and_its_middle_at_others():
    assert torch.equal(photograph(512, 512), torch.from_numpy(data.astronaut()).permute(2, 0, 1)[None] / 255)
    wide = photograph(180, 320)
    assert wide.shape == (1, 3, 180, 320)
    middle = PIL.Image.fromarray(data.astronaut()[112:400]).resize((320, 180), PIL.Image.Resampling.BICUBIC)
    difference = (wide[0].permute(1, 2, 0) * 255 - torch.from_numpy(np.array(middle))).abs()
    assert difference[2:-2].max() <= 1  # at its upper and lower edge the photograph has neighbours, the part has none


FREED_WITHIN = """
import torch
from safmn_bench.profiling.common.memory import give_memory_back, peak_memory_mib
give_memory_back()
def forward():
    wide = torch.ones(64, 2**18)  # 64 MiB
    return wide.sum(1)
forward()
print(peak_memory_mib(forward, 3.0, torch.device("cpu")))
"""


def test_peak_memory_sees_what_is_freed_within_the_pass():
    """In a process of its own, as when it is measured: this one has free memory from other tests."""
    done = subprocess.run([sys.executable, "-c", FREED_WITHIN], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(3 + 64, abs=1.5)


class FakeWorker:
    """Answers at once with times of its own; `broken` fails when it warms up. `log` is the order of requests."""

    log: list[tuple[str, str]]

    def __init__(self, job: Job) -> None:
        self.job, self.base = job, {"safmn": 10.0, "w_o_FM": 10.0, "w_o_CCM": 5.0}.get(job.name, 1.0)

    def __enter__(self) -> "FakeWorker":
        return self

    def __exit__(self, *_: object) -> None: ...

    def ask(self, request: str, *arguments: int) -> Any:
        self.log.append((self.job.name, request))
        if request == "warm_up" and self.job.name == "n4":
            raise WorkerFailed("MemoryError: none left")
        answers = {
            "memory": 12.5,
            "memory_here": 11.0,
            "about": {"weights_mib": 1.0, "input_mib": 0.5, "remarks": ()},
            "warm_up": {"runs": 15, "flat": True, "first_ms": 99.0},
        }
        if request in answers:
            return answers[request]
        first = [131.6] if request == "referee" else [self.base]
        return first + [self.base + 0.01 * i for i in range(1, arguments[0])]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    FakeWorker.log = []
    monkeypatch.setattr(rounds, "Worker", FakeWorker)
    return FakeWorker.log


def test_networks_take_turns_after_all_are_warm(fake: list[tuple[str, str]]):
    measure([job("safmn"), job("w_o_CCM")], 10)
    after_memory = [(name, request) for name, request in fake if request in ("warm_up", "block")]
    assert after_memory == [
        ("safmn", "warm_up"),
        ("w_o_CCM", "warm_up"),
        *[("safmn", "block"), ("w_o_CCM", "block")] * 10,
    ]


def test_on_a_gpu_the_process_that_times_a_network_tells_its_memory(fake: list[tuple[str, str]]):
    """A graph's memory is that of the fast form, in a process of its own."""
    jobs = [job("safmn", device="cuda:0"), job("safmn", device="cuda:0", implementation="cuda_graph"), job("safmn")]
    assert [timed.peak_memory_mib for timed in measure(jobs, 10)] == [11.0, 12.5, 12.5]
    assert [request for _, request in fake].count("memory") == 2


def test_runs_are_cut_into_at_least_ten_turns():
    assert turns(50) == [5] * 10
    assert turns(53) == [5] * 10 + [3]
    assert turns(25) == [2] * 12 + [1]
    assert turns(3) == [1] * 3


def test_networks_whose_intervals_overlap_are_not_ranked(fake: list, capsys: pytest.CaptureFixture[str]):
    found = measure([job("safmn"), job("w_o_FM"), job("w_o_CCM")], 20)
    table = latency_table.rows(found, "ours", torch.device("cpu"))
    assert [row["place"] for row in table] == ["2-3", "2-3", "1"]
    latency_table.show(table, found, "ours")
    assert "Not ranked: safmn and w_o_FM (eager, fp32); their intervals overlap." in capsys.readouterr().out


def test_a_network_that_fails_is_named_and_the_others_are_measured(
    fake: list, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    table = tmp_path / "latency.csv"
    call = ["--models", "safmn", "n4", "--implementations", "eager", "--device", "cpu", "--csv", str(table)]
    assert main(call) == 1
    assert "n4 x4 eager fp32 was not measured: MemoryError: none left" in capsys.readouterr().err
    with table.open(newline="") as handle:
        safmn, n4 = csv.DictReader(handle)
    assert (safmn["median_ms"], safmn["runs"], safmn["status"]) == ("10.02", "50", "measured")
    assert (n4["median_ms"], n4["runs"], n4["status"]) == ("", "0", "MemoryError: none left")


def test_referee_counts_the_first_image_into_its_mean(fake: list, capsys: pytest.CaptureFixture[str]):
    (found,) = referee([job("w_o_CCM")], 50)
    assert found.spread().mean_ms == pytest.approx((131.6 + 49 * 5 + 0.01 * sum(range(1, 50))) / 50)
    assert found.spread().median_ms == pytest.approx(5.255)
    assert main(["--models", "safmn", "--protocol", "ntire", "--device", "cpu", "--implementations", "eager"]) == 0
    out = capsys.readouterr().out
    assert "no warm-up" in out
    assert "Nothing is ranked here" in out


def test_papers_figures_stand_beside_at_its_size_only():
    assert latency_table.paper(Timed(job=job("baseline"))) == {"paper_time_ms": "10.71", "paper_memory_m": "65.26"}
    assert latency_table.paper(Timed(job=job("safmn", height=64)))["paper_time_ms"] is None
    assert latency_table.paper(Timed(job=job("w_o_FM")))["paper_time_ms"] is None


def test_a_folder_gets_a_file_named_after_the_hardware(tmp_path: Path):
    slug = hardware_slug(torch.device("cpu"))
    assert slug
    assert slug.replace("_", "").isalnum()
    assert result_file(tmp_path, "latency", torch.device("cpu")) == tmp_path / f"latency_{slug}.csv"
    assert result_file(tmp_path / "mine.csv", "latency", torch.device("cpu")) == tmp_path / "mine.csv"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lr-size", "320"], "'320' is not a size. Write width x height"),
        (["--lr-size", "0x10"], "from 1 to 16384"),
        (["--runs", "0"], "--runs 0 is not a whole number of at least 1"),
        (["--device", "cpu", "--dtypes", "tf32"], "tf32 is a mode of NVIDIA GPUs"),
        (["--device", "cpu", "--implementations", "cuda_graph"], "needs an NVIDIA GPU"),
        (["--device", "cpu", "--implementations", "onnxruntime", "--dtypes", "bf16"], "in fp32 and int8 only"),
        (["--device", "cpu", "--implementations", "native", "--dtypes", "bf16"], "native implementation is a CPU's"),
        (["--device", "cpu", "--implementations", "native", "--models", "w_SE"], "has no mixer 'se'"),
        (["--device", "cpu", "--implementations", "native", "--models", "espcn"], "SAFMN's and its variants'"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["--models", "safmn", *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_latency_command_measures_in_processes_of_their_own(tmp_path: Path):
    variant = tmp_path / "small.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8}\n")
    table = tmp_path / "latency.csv"
    options = ["--lr-size", "24x16", "--runs", "4", "--implementations", "fast", "--device", "cpu", "--threads", "1"]
    assert main(["--models", str(variant), *options, "--csv", str(table)]) == 0
    with table.open(newline="") as handle:
        reader = csv.DictReader(handle)
        (row,) = reader
        assert ",".join(reader.fieldnames or ())[: len(CONTRACT)] == CONTRACT
    assert (row["model"], row["implementation"], row["lr_height"], row["lr_width"]) == ("small", "fast", "16", "24")
    assert (row["runs"], row["status"], row["threads"]) == ("4", "measured", "1")
    assert 0 < float(row["p10_ms"]) <= float(row["median_ms"]) <= float(row["p90_ms"])
    assert float(row["peak_memory_mib"]) >= float(row["weights_mib"]) + float(row["input_mib"])
    assert float(row["input_mib"]) == round(16 * 24 * 3 * 4 / 2**20, 3)
    assert row["torch"] == torch.__version__


def test_both_forms_of_a_merged_network_are_timed_and_padding_is_told(tmp_path: Path):
    names = write_networks(tmp_path)
    sizes = {}
    for form in ("eager", "unmerged"):
        ready = prepare(job(names["RepNet"], implementation=form, height=13, width=7))
        sizes[form] = ready.weights_mib * 2**18
        assert ready.remarks == ("LR 7x13 is padded to 8x16, sides a multiple of 4; figures include it",)
    assert sizes["unmerged"] - sizes["eager"] == 8 * 8 + 8  # the 1x1 convolution beside the 3x3
    with pytest.raises(UserError, match="PlainNet has one form: nothing is merged. Choose the eager implementation."):
        prepare(job(names["PlainNet"], implementation="unmerged"))


def test_remarks_stand_in_rows(fake: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch):
    (timed,) = measure([job("safmn")], 10)
    timed.remarks = ("a is b", "c is d")
    assert latency_table.rows([timed], "ours", torch.device("cpu"))[0]["note"] == "a is b; c is d"
