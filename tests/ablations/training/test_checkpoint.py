"""The door of checkpoints: what lies at last.pt -> what a run that goes on from it says; flipped bits are noticed."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from junk_weights import saved
from short_runs import TINY, arguments, folder_of

from safmn_bench.ablations.run import main
from safmn_bench.ablations.training import checkpoint
from safmn_bench.models.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def begun(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], bytes]:
    """The command of a short run that has a last.pt and no record, and that file's content."""
    root = tmp_path_factory.mktemp("begun")
    variant = root / "one_block.yaml"
    variant.write_text(TINY)
    call = arguments(photographs, variant, root / "runs")
    assert main(call) == 0
    folder = folder_of(root / "runs", "one_block")
    (folder / "record.json").unlink()
    return call, (folder / "last.pt").read_bytes()


def state_of(content: bytes, path: Path) -> dict[str, Any]:
    path.write_bytes(content)
    state = checkpoint.load(path, CPU)
    assert state is not None
    return state


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_a_hundred_flipped_bits_in_a_checkpoint_are_refused_or_change_nothing(begun: Any, tmp_path: Path):
    _, content = begun
    whole, rng, refused = state_of(content, tmp_path / "whole.pt"), random.Random(0), 0
    for _ in range(100):
        bit, flipped = rng.randrange(8 * len(content)), bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert equal(state_of(bytes(flipped), tmp_path / "last.pt"), whole)
        except UserError:
            refused += 1
    assert refused >= 50


def without(content: bytes, key: str, tmp_path: Path) -> bytes:
    state = state_of(content, tmp_path / "whole.pt")
    del state[key]
    return saved(state)


def with_value(content: bytes, key: str, value: Any, tmp_path: Path) -> bytes:
    return saved(state_of(content, tmp_path / "whole.pt") | {key: value})


# what lies there: (made of a good file, the reason in the sentence)
BAD: dict[str, tuple[Any, str]] = {
    "nothing in it": (lambda content, path: b"", "DamagedArchive: its records do not match"),
    "half of it": (lambda content, path: content[: len(content) // 2], "DamagedArchive: its records do not match"),
    "zeros": (lambda content, path: bytes(len(content)), "DamagedArchive: its records do not match"),
    "text": (lambda content, path: b"half a file", "DamagedArchive: its records do not match"),
    "weights": (lambda content, path: saved({"params": {}}), "KeyError: 'done'"),
    "a list": (lambda content, path: saved([1, 2]), "TypeError: it holds a list"),
    "None": (lambda content, path: saved(None), "TypeError: it holds a NoneType"),
    "no learner": (lambda content, path: without(content, "learner", path), "KeyError: 'learner'"),
    "no random state": (lambda content, path: without(content, "random", path), "KeyError: 'random'"),
    "no count of iterations": (lambda content, path: without(content, "done", path), "KeyError: 'done'"),
    "another network's": (
        lambda content, path: with_value(content, "learner", {"network": {}, "ema": {}, "optimizer": {}}, path),
        "RuntimeError: Error(s) in loading state_dict",
    ),
    "a random state of text": (
        lambda content, path: with_value(content, "random", {"cpu": "text"}, path), "AttributeError: 'str'",
    ),
    "a random state of zeros": (
        lambda content, path: with_value(content, "random", {"cpu": torch.zeros(3, dtype=torch.uint8)}, path),
        "RuntimeError: ",
    ),
    "a watch that is a number": (lambda content, path: with_value(content, "watch", 3, path), "TypeError: 'int'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_checkpoint_of_the_run_is_refused_and_stays(begun: Any, tmp_path: Path, capsys, name: str):
    call, content = begun
    make, reason = BAD[name]
    path = folder_of(Path(call[call.index("--out") + 1]), "one_block") / "last.pt"
    bad = make(content, tmp_path)
    path.write_bytes(bad)
    assert main(call) == 2
    error = capsys.readouterr().err
    assert f"last.pt is not a readable checkpoint ({reason}" in error
    assert error.strip().endswith("Delete it to start this run anew.")
    assert "Traceback" not in error
    assert path.read_bytes() == bad
