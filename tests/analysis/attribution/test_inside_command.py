"""Inside a network by the command: tables and figures, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from safmn_bench.analysis.inside import main
from safmn_bench.models.names import find_candidate


@pytest.fixture(scope="module")
def call(small_variant: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A call for a small network at x2, and one picture of 50x40 pixels."""
    folder = tmp_path_factory.mktemp("inside")
    torch.manual_seed(0)
    torch.save({"params": find_candidate(str(small_variant)).build(2).state_dict()}, folder / "small.pth")
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(folder / "a.png")
    files = ["--weights", str(folder / "small.pth"), "--image", str(folder / "a.png")]
    return ["--models", str(small_variant), *files, "--scale", "2", "--inputs", "1"]


@pytest.mark.slow
def test_fields_and_spectra_of_every_network_are_written(
    call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*call, "--size", "16", "--out", str(tmp_path)]) == 0
    fields, spectra = (
        list(csv.DictReader((tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
        for name in ("receptive_field", "spectra")
    )
    assert [(row["inputs"], row["share"]) for row in fields] == [
        (kind, share) for kind in ("noise", "photographs") for share in ("0.2", "0.5", "0.9", "0.99")
    ]
    assert all(float(row["area"]) == int(row["side_px"]) ** 2 / 16**2 for row in fields)
    assert list(dict.fromkeys(row["of"] for row in spectra)) == ["HR", "error", "feats.0"]
    assert all(float(row["power_low"]) <= float(row["power"]) <= float(row["power_high"]) for row in spectra)
    for name in ("receptive_field", "spectra"):
        assert all((tmp_path / f"{name}.{kind}").stat().st_size > 1000 for kind in ("pdf", "svg", "png"))
    assert "Effective receptive field, x2, LR 16x16" in capsys.readouterr().out


@pytest.mark.slow
def test_the_error_of_bicubic_is_less_than_the_picture_where_lr_holds_it(tmp_path: Path):
    assert main(["--models", "bicubic", "--scale", "2", "--inputs", "1", "--size", "32", "--out", str(tmp_path)]) == 0
    rows = list(csv.DictReader((tmp_path / "spectra.csv").read_text(encoding="utf-8").splitlines()))
    power = {what: {r["frequency"]: float(r["power"]) for r in rows if r["of"] == what} for what in ("HR", "error")}
    held = [f for f in power["HR"] if float(f) < 0.2]
    lost = [f for f in power["HR"] if float(f) > 0.4]
    assert all(power["error"][f] < 0.5 * power["HR"][f] for f in held)
    assert all(power["error"][f] > 0.5 * power["HR"][f] for f in lost)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "24"], "a.png is 50x40 pixels; --size 24 at x2 needs 48 on each side"),
        (["--size", "8"], "--size 8 is not a whole number of at least 16"),
        (["--inputs", "0"], "--inputs 0 is not a whole number of at least 1"),
    ],
)
def test_wrong_calls_are_refused(
    call: list[str], options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([*call, *options, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
