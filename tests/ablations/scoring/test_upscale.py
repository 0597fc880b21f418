"""`upscale`: images in, images out, as the network that is scored; transparency kept, tiles unseen."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from own_networks import write_networks

from safmn_bench.ablations.scoring.tiling import reach
from safmn_bench.ablations.upscale import main
from safmn_bench.models.names import find_candidate
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.models.resize import to_uint8
from safmn_bench.profiling.common.images import read_image


def save(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_folder_of_every_kind_of_image_is_enlarged_with_weights_of_one_s_own(tmp_path: Path, capsys):
    name = write_networks(tmp_path)["PlainNet"]
    torch.save({"params": find_candidate(name).build(2).state_dict()}, tmp_path / "w.pth")
    save(tmp_path / "in" / "a.png", noise(12, 10, 3))
    save(tmp_path / "in" / "b.png", noise(12, 10))
    save(tmp_path / "in" / "c.png", noise(12, 10).astype(np.uint16) * 257)
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    call = ["--model", name, "--scale", "2", "--weights", str(tmp_path / "w.pth"), "--device", "cpu"]
    assert main([*call, str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    printed = capsys.readouterr()
    assert "Written: 3 of 4 images" in printed.out
    assert "broken.png is not an image" in printed.err
    assert "note: c.png: 16-bit: upper eight bits kept" in printed.err
    network = find_candidate(name).build(2).eval()
    network.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True)["params"])
    with torch.inference_mode():
        sr = network(read_image(tmp_path / "in" / "a.png").rgb[None].float() / 255)
    assert torch.equal(read_image(tmp_path / "out" / "a.png").rgb, to_uint8(sr[0] * 255))


def test_tiles_overlap_by_the_measured_reach_and_change_nothing(tmp_path: Path):
    name = write_networks(tmp_path)["PlainNet"]
    network = find_candidate(name).build(2).eval()
    torch.save({"params": network.state_dict()}, tmp_path / "w.pth")
    source = save(tmp_path / "a.png", noise(40, 56, 3))
    call = ["--model", name, "--scale", "2", "--weights", str(tmp_path / "w.pth"), "--device", "cpu", str(source)]
    assert main([*call, str(tmp_path / "whole.png")]) == 0
    assert main([*call, str(tmp_path / "tiled.png"), "--tile", "16"]) == 0
    whole, tiled = (read_image(tmp_path / f"{one}.png").rgb.int() for one in ("whole", "tiled"))
    assert (whole - tiled).abs().max() <= 1  # sums in another order may round to the next level
    assert reach(network) == 8  # four 3x3 convolutions and a bilinear base see 4 pixels; up to the next multiple of 8


def test_transparency_is_enlarged_by_bicubic_and_kept(tmp_path: Path):
    source = save(tmp_path / "a.png", noise(12, 10, 4))
    assert main(["--model", "bicubic", "--scale", "3", str(source), str(tmp_path / "b.png")]) == 0
    with PIL.Image.open(tmp_path / "b.png") as file:
        assert (file.mode, file.size) == ("RGBA", (30, 36))
        alpha = np.array(file)[..., 3]
    with PIL.Image.open(source) as file:
        plane = torch.from_numpy(np.array(file)[..., 3].copy())
    assert np.array_equal(alpha, Bicubic(scale=3).enlarge_uint8(plane.expand(3, -1, -1))[0].numpy())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "safmn", "{image}", "{out}.png"], "safmn needs --weights FILE"),
        (["--model", "bicubic", "{image}", "{out}.jpg"], "results are written as PNG"),
        (["--model", "bicubic", "{folder}", "{out}"], "holds no images"),
        (["--model", "bicubic", "{image}", "{out}.png", "--implementation", "fast"], "Bicubic has no fast form"),
        (["--model", "bicubic", "{image}", "{out}.png", "--implementation", "native"], "and Bicubic is neither"),
    ],
)
def test_what_cannot_be_done_is_one_paragraph(options: list[str], sentence: str, tmp_path: Path, capsys):
    image, folder = save(tmp_path / "a.png", noise(12, 10, 3)), tmp_path / "empty"
    folder.mkdir()
    call = [option.format(image=image, out=tmp_path / "out", folder=folder) for option in options]
    assert main([*call, "--device", "cpu"]) != 0
    assert sentence in capsys.readouterr().err
