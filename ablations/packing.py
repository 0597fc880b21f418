"""STUB until the data branch lands."""

from dataclasses import dataclass
import numpy as np, hashlib
from safmn_bench.ablations.images import read_image
from safmn_bench.models.resize import lr_from_hr


@dataclass
class PackedSet:
    scale: int
    names: list
    hr: np.ndarray
    lr: np.ndarray
    hr_offset: np.ndarray
    lr_offset: np.ndarray
    lr_height: np.ndarray
    lr_width: np.ndarray

    def describe(self):
        return {"names": list(self.names), "digest": hashlib.sha256(self.hr.tobytes()).hexdigest()[:16]}


def pack(paths, *, scale):
    from safmn_bench.ablations.images import list_images

    paths = [q for p in paths for q in (list_images(p) if not p.is_file() else [p])]
    hr = []
    lr = []
    for p in paths:
        t = read_image(p).rgb
        H, W = t.shape[1] // scale * scale, t.shape[2] // scale * scale
        t = t[:, :H, :W]
        hr.append(t)
        lr.append(lr_from_hr(t, scale))
    n = np.array([l.numel() for l in lr])
    off = np.concatenate([[0], np.cumsum(n)[:-1]])
    f = lambda ts: np.concatenate([t.permute(1, 2, 0).reshape(-1).numpy() for t in ts])
    return PackedSet(
        scale,
        [p.name for p in paths],
        f(hr),
        f(lr),
        off * scale**2,
        off,
        np.array([l.shape[1] for l in lr]),
        np.array([l.shape[2] for l in lr]),
    )
