"""The archive that a measured GPU leaves: what is in it, how large it is, and what is not taken in."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from safmn_bench.ablations.card import archive
from safmn_bench.ablations.card.archive import pack
from safmn_bench.ablations.gpu import main


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """A folder as `make gpu` leaves it."""
    out = tmp_path / "gpu-results"
    run = out / "runs/w_o_MR/x4/seed0"
    (run / "tensorboard").mkdir(parents=True)
    card = {"machine": {"name": "AMD EPYC", "gpu": "NVIDIA H100 80GB HBM3"}, "commit": "c0ffee"}
    (out / "card.json").write_text(json.dumps(card))
    (out / "parts.json").write_text(json.dumps({"tests": {"status": "done"}, "sweep": {"status": "stopped after 9 s"}}))
    (out / "pace_24x8.csv").write_text("form,precision\n")
    for name in ("record.json", "weights.pt", "last.pt", "lock.json", "losses.csv", "tensorboard/events"):
        (run / name).write_text(name)
    return out


def test_records_and_weights_are_packed_and_what_goes_on_there_is_not(measured: Path):
    with tarfile.open(pack(measured)) as opened:
        names = set(opened.getnames())
    run = "gpu-results/runs/w_o_MR/x4/seed0/"
    assert names == {f"gpu-results/{name}" for name in ("card.json", "parts.json", "pace_24x8.csv")} | {
        f"{run}{name}" for name in ("record.json", "weights.pt", "losses.csv")
    }


def test_the_largest_weights_go_first_where_all_is_too_much(measured: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(archive, "LIMIT_MB", 0.01)
    (measured / "runs/large.pt").write_bytes(bytes(9_000))
    (measured / "runs/small.pt").write_bytes(bytes(5_000))
    with tarfile.open(pack(measured)) as opened:
        assert {Path(name).name for name in opened.getnames() if name.endswith(".pt")} == {"small.pt", "weights.pt"}
    assert "1 weight files are left out of the archive" in capsys.readouterr().out


def test_an_archive_becomes_a_folder_named_after_the_gpu(measured: Path, tmp_path: Path, capsys):
    packed = pack(measured)
    call = ["--results", str(packed), "--into", str(tmp_path / "results")]
    assert main(call) == 0
    folder = tmp_path / "results/nvidia_h100_80gb_hbm3"
    assert (folder / "runs/w_o_MR/x4/seed0/record.json").read_text() == "record.json"
    said = capsys.readouterr().out
    assert "tests: done\nsweep: stopped after 9 s\n" in said
    assert f"NVIDIA H100 80GB HBM3, commit c0ffee: 1 records. Results: {folder}" in said
    assert main(call) == 2
    assert "is there already. Choose another --into" in capsys.readouterr().err


def write_archive(path: Path, members: dict[str, bytes], link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("gpu-results/link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            opened.addfile(member)
    return path


@pytest.mark.parametrize(
    ("members", "link", "said"),
    [
        ({"gpu-results/card.json": b"{}"}, "", "has no parts.json: it is not of `make gpu`."),
        ({"../../card.json": b"{}"}, "", "cannot be unpacked"),
        ({"gpu-results/card.json": b"{}"}, "/etc/passwd", "holds 'gpu-results/link', which is no file"),
        ({}, "", "has no card.json and no parts.json"),
        ({"gpu-results/card.json": b"{", "gpu-results/parts.json": b"{}"}, "", "card.json is damaged"),
        ({"gpu-results/card.json": b"[]", "gpu-results/parts.json": b"{}"}, "", "card.json is damaged"),
    ],
)
def test_another_archive_is_refused(members: dict[str, bytes], link: str, said: str, tmp_path: Path, capsys):
    packed = write_archive(tmp_path / "a.tar.gz", members, link)
    assert main(["--results", str(packed), "--into", str(tmp_path / "results")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_file_that_is_none_is_refused(tmp_path: Path, capsys):
    assert main(["--results", str(tmp_path / "no.tar.gz")]) == 2
    assert "It is the one archive that `make gpu` leaves." in capsys.readouterr().err
    (tmp_path / "junk").write_bytes(b"junk")
    assert main(["--results", str(tmp_path / "junk")]) == 2
    assert "cannot be unpacked" in capsys.readouterr().err
