"""Commands on a GPU: runs and sweeps, scores, forms of latency, memory, operators, attribution."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from short_runs import FAST, folder_of, lines_of, sweep_arguments, variants

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.ablations.run import main as run
from safmn_bench.profiling.common.machine import machine
from safmn_bench.profiling.common.memory import free_bytes
from safmn_bench.profiling.operators import main as operators
from safmn_bench.profiling.timing.clock import time_ms
from safmn_bench.profiling.timing.forms import Job, prepare
from safmn_bench.profiling.timing.workers import Turns

pytestmark = pytest.mark.gpu
FORMS = ("eager", "channels_last", "fast", "compiled", "fast_compiled", "cuda_graph")


def job(gpu: torch.device, implementation: str, dtype: str = "fp32") -> Job:
    shared = {"model": "n4", "scale": 4, "height": 36, "width": 64, "threads": 1}
    return Job(**shared, implementation=implementation, dtype=dtype, device=str(gpu))  # type: ignore[arg-type]


@pytest.mark.parametrize("implementation", FORMS)
def test_every_form_gives_the_image_of_the_eager_one(implementation: str, gpu: torch.device):
    torch.testing.assert_close(
        prepare(job(gpu, implementation)).forward(), prepare(job(gpu, "eager")).forward(), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("dtype", ["tf32", "bf16"])
def test_lower_precision_gives_nearly_that_image(dtype: str, gpu: torch.device):
    lower, exact = prepare(job(gpu, "fast", dtype)).forward(), prepare(job(gpu, "fast")).forward()
    assert float((lower.float() - exact).abs().mean()) < 0.02


@pytest.mark.parametrize("implementation", ["eager", "cuda_graph"])
def test_memory_holds_weights_and_input_and_more(implementation: str, gpu: torch.device):
    turns = Turns(job(gpu, implementation))
    memory, about = turns.memory(), turns.about()
    assert memory is not None
    assert about["weights_mib"] + about["input_mib"] < memory < 1024


def test_memory_is_the_same_told_by_the_process_that_times(gpu: torch.device):
    timing = Turns(job(gpu, "eager"))
    timing.warm_up()
    assert timing.memory_here() == pytest.approx(Turns(job(gpu, "eager")).memory() or 0, rel=0.1)


def test_a_pass_takes_time_between_two_events(gpu: torch.device):
    assert 0 < time_ms(prepare(job(gpu, "fast")).forward, gpu) < 1000


def test_the_machine_is_the_gpu_and_has_memory_free(gpu: torch.device):
    assert machine(gpu)["gpu"] == torch.cuda.get_device_name(gpu)
    assert 0 < free_bytes(gpu) <= torch.cuda.get_device_properties(gpu).total_memory


def test_operators_have_times_on_the_gpu(gpu: torch.device, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    call = ["--model", "n4", "--lr-size", "64x36", "--passes", "2", "--device", "cuda"]
    assert operators([*call, "--csv", str(tmp_path / "operators.csv")]) == 0
    assert "LayerNorm" in (tmp_path / "operators.csv").read_text()


def on_gpu(call: list[str]) -> list[str]:
    return ["cuda" if part == "cpu" else part for part in call]


def test_a_sweep_with_two_slots_ends_and_records_name_the_gpu(gpu: torch.device, photographs: Path, tmp_path: Path):
    out = tmp_path / "out"
    call = on_gpu(sweep_arguments(photographs, out, variants(tmp_path, one="", two="")))
    assert run([*call, "--slots-per-device", "2"]) == 0
    assert {name: line["status"] for name, line in lines_of(out).items()} == {"one/0": "finished", "two/0": "finished"}
    record = json.loads((folder_of(out, "one") / "record.json").read_text())
    assert (record["machine"]["gpu"], record["graph"]) == (torch.cuda.get_device_name(gpu), "captured")
    assert record["data"]["placement"].endswith("free on the GPU: kept there")
    assert record["compile_seconds"] > 0


def test_weights_of_a_gpu_score_alike_on_the_cpu(gpu: torch.device, photographs: Path, tmp_path: Path):
    out = tmp_path / "out"
    (name,) = variants(tmp_path, one="")
    assert run(on_gpu(sweep_arguments(photographs, out, [name]))) == 0
    folder = folder_of(out, "one")
    scores = tmp_path / "scores.csv"
    shared = ["--model", name, "--weights", str(folder / "weights.pt"), "--benchmarks", str(photographs / "score")]
    assert evaluate([*shared, "--device", "cpu", "--csv", str(scores)]) == 0
    images = json.loads((folder / "record.json").read_text())["scores"]["score"]["images"]
    with scores.open(newline="") as handle:
        rows = {row["image"]: float(row["psnr_y_db"]) for row in csv.DictReader(handle)}
    assert len(images) == 2
    for image, values in images.items():
        assert rows[image] == pytest.approx(values["psnr_y_db"], abs=0.01)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_processes_train_one_run(photographs: Path, small_variant: Path, tmp_path: Path):
    data = ["--train-data", str(photographs / "train"), "--benchmarks", str(photographs / "score")]
    call = ["--variant", str(small_variant), "--device", "cuda", *data, "--out", str(tmp_path), "--set", *FAST]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m"]
    done = subprocess.run(
        [*launcher, "safmn_bench.ablations.run", *call], capture_output=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    record = json.loads((folder_of(tmp_path, "one_block") / "record.json").read_text())
    assert record["graph"] == "not captured: 2 processes share the step"
