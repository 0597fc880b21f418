"""A given pair is checked, not trusted: its LR against the LR that MATLAB's bicubic makes of its HR.

Published LR files are bicubic's to the last level. What is far from it is a mistake (pairs swapped, an image turned,
transparency laid on white on one side only, channels exchanged, a shift), or LR of another kind, which the user says:
--lr-is-not-bicubic. Every pair is checked when it is read, by the middle of the image (`WINDOW` LR pixels a side: a
few milliseconds beside decoding it); before long work, `SAMPLE` pairs from first to last are checked at once.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.images import image_size, opened, read_image

FAR_DB = 45.0  # astronaut.png at x4: Pillow's bicubic is 56 dB from MATLAB's, its Lanczos 41, a mean of pixels 38
WINDOW = 64  # LR pixels a side
SAMPLE = 8
_MARGIN = 3  # LR pixels around the window that its edge sees: the kernel reaches 2
_OTHERS = 24  # images of the same size that a swapped LR is looked for in
_GAIN_DB = 10.0  # how much nearer a guess must bring the pair to be told as the cause


def check_sample(items: Sequence[ImageFiles], scale: int) -> None:
    """Check up to `SAMPLE` given pairs, evenly from the first to the last. Raises UserError for the first far off."""
    given = [item for item in items if item.lr is not None and item.lr_is_bicubic]
    if not given:
        return
    for index in np.unique(np.linspace(0, len(given) - 1, SAMPLE).round().astype(int)):
        item = given[index]
        assert item.lr is not None
        check_pair(item, read_image(item.hr).rgb, read_image(item.lr).rgb, scale, given)


def check_pair(
    item: ImageFiles, hr: torch.Tensor, lr: torch.Tensor, scale: int, others: Sequence[ImageFiles] = ()
) -> None:
    """Raise UserError where a given LR, uint8 (3, h, w), is far from bicubic of its HR, uint8 (3, H, W).

    `others`: the set that the pair is from, in which the image that this LR belongs to is looked for.
    """
    if item.lr is None or not item.lr_is_bicubic:
        return
    db = distance_db(hr, lr, scale)
    if db < FAR_DB:
        raise UserError(
            f"{item.lr} is not MATLAB-style bicubic of {item.hr}: {db:.2f} dB from the LR made of it, where bicubic's "
            f"files are over {FAR_DB:.0f}. Likely cause: {likely_cause(item, hr, lr, scale, db, others)}. Mend the "
            "files; where LR is meant to be of another kind (a camera's, blurred, noisy), say --lr-is-not-bicubic."
        )


def distance_db(hr: torch.Tensor, lr: torch.Tensor, scale: int) -> float:
    """PSNR in dB, over RGB, between LR and the LR made of HR, in the middle `WINDOW` x `WINDOW` pixels of LR."""
    rows, columns = (_span(side) for side in lr.shape[1:])
    return _psnr_db(_made(hr, scale, rows, columns), lr[:, rows, columns])


def _span(side: int) -> slice:
    start = max(0, (side - WINDOW) // 2)
    return slice(start, min(side, start + WINDOW))


def _made(hr: torch.Tensor, scale: int, rows: slice, columns: slice) -> torch.Tensor:
    """A window of the LR made of HR, from the part of HR that it sees."""
    height, width = (side // scale for side in hr.shape[1:])
    spans = [slice(max(0, s.start - _MARGIN), min(n, s.stop + _MARGIN)) for s, n in ((rows, height), (columns, width))]
    part = hr[:, spans[0].start * scale : spans[0].stop * scale, spans[1].start * scale : spans[1].stop * scale]
    seen = lr_from_hr(part, scale)
    top, left = rows.start - spans[0].start, columns.start - spans[1].start
    return seen[:, top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]


def _psnr_db(a: torch.Tensor, b: torch.Tensor) -> float:
    if a.shape != b.shape:
        return -math.inf
    error = (a.to(torch.float64) - b.to(torch.float64)).square().mean().item()
    return 10 * math.log10(255**2 / error) if error else math.inf


def likely_cause(
    item: ImageFiles, hr: torch.Tensor, lr: torch.Tensor, scale: int, db: float, others: Sequence[ImageFiles]
) -> str:
    """The change that brings the pair together best, in words; another kind of LR where nothing does."""
    best, words = max(
        itertools.chain(_guesses(item, hr, lr, scale), _swapped(item, lr, scale, others)), key=lambda guess: guess[0]
    )
    if best >= FAR_DB or best >= db + _GAIN_DB:
        return words
    return "none of the usual ones (pairs swapped, turned, transparency, channels, a shift); LR of another kind"


def _guesses(item: ImageFiles, hr: torch.Tensor, lr: torch.Tensor, scale: int) -> Iterator[tuple[float, str]]:
    """How near the pair comes once each mistake is undone, in dB, and its name."""
    yield distance_db(hr, lr.flip(0), scale), "red and blue channels exchanged in one of the two"
    for turns in (1, 2, 3):
        turned = torch.rot90(lr, turns, (1, 2))
        if turned.shape == lr.shape:
            words = f"turned by {90 * turns} degrees: HR or LR by its EXIF orientation, the other not"
            yield distance_db(hr, turned, scale), words
    for axis, words in ((1, "upside down"), (2, "mirrored")):
        yield distance_db(hr, lr.flip(axis), scale), f"LR is {words}"
    opaque, words = _opaque(item.hr), "transparency of {} is composited on white, and the other was made without it"
    if opaque is not None:
        yield distance_db(opaque, lr, scale), words.format("HR")
    if item.lr is not None and (opaque := _opaque(item.lr)) is not None:
        yield distance_db(hr, opaque, scale), words.format("LR")
    for down, right in itertools.product((-1, 0, 1), repeat=2):
        if down or right:
            yield _shifted_db(hr, lr, scale, down, right), "LR is shifted by one LR pixel"
            cut = hr[:, max(0, down) :, max(0, right) :]
            cut = torch.nn.functional.pad(cut, (max(0, -right), 0, max(0, -down), 0))
            height, width = (side // scale for side in cut.shape[1:])
            if min(height, width) > 0:
                yield _inner_db(cut, lr[:, :height, :width], scale), "LR was made of an HR shifted by one HR pixel"


def _shifted_db(hr: torch.Tensor, lr: torch.Tensor, scale: int, down: int, right: int) -> float:
    """The distance where LR is moved by whole LR pixels."""
    return _inner_db(hr, torch.roll(lr, (down, right), (1, 2)), scale)


def _inner_db(hr: torch.Tensor, lr: torch.Tensor, scale: int) -> float:
    """The distance without the edge, which a shift brings in from elsewhere."""
    rows, columns = (slice(min(2, side // 3), side - min(2, side // 3)) for side in lr.shape[1:])
    rows, columns = (
        slice(max(s.start, _span(side).start), min(s.stop, _span(side).stop))
        for s, side in ((rows, lr.shape[1]), (columns, lr.shape[2]))
    )
    return _psnr_db(_made(hr, scale, rows, columns), lr[:, rows, columns])


def _opaque(path: Path) -> torch.Tensor | None:
    """The colours of a file with transparency, as if it had none; None for other files."""
    with opened(path) as file:
        if not file.has_transparency_data:
            return None
        return torch.from_numpy(np.array(file.convert("RGBA").convert("RGB"))).permute(2, 0, 1).contiguous()


def _swapped(
    item: ImageFiles, lr: torch.Tensor, scale: int, others: Sequence[ImageFiles]
) -> Iterator[tuple[float, str]]:
    """How near LR comes to other images of the set, the nearest in the list first."""
    names = [other.name for other in others]
    here = names.index(item.name) if item.name in names else 0
    near = sorted(
        (other for other in others if other.name != item.name), key=lambda other: abs(names.index(other.name) - here)
    )
    size = tuple(lr.shape[1:])
    alike = (other for other in near if tuple(side // scale for side in image_size(other.hr)) == size)
    for other in itertools.islice(alike, _OTHERS):
        words = f"pairs swapped: it is the LR of {other.hr.name}"
        yield distance_db(read_image(other.hr).rgb, lr, scale), words
