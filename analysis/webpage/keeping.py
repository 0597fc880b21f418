"""Where the report's pictures are: inside the page as data, or as files of a folder beside it."""

import base64
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image

from safmn_bench.profiling.common.files import write_atomically

Keep = Callable[[np.ndarray], str]
"""Keeps a picture, uint8 (H, W, 3); returns its address as the page gives it."""
_QUALITY = 92  # of WebP: 40-60 KB for a compared picture, and no visible trace


def inside(rgb: np.ndarray) -> str:
    """A data URI."""
    return "data:image/webp;base64," + base64.b64encode(_webp(rgb)).decode("ascii")


@dataclass(frozen=True)
class Beside:
    """A file of `folder`, which lies beside the page; its name is of its content, so that a page finds its own.

    Raises UserError where it cannot be written.
    """

    folder: Path

    def __call__(self, rgb: np.ndarray) -> str:
        """The address, relative to the page."""
        data = _webp(rgb)
        path = self.folder / f"{hashlib.sha256(data).hexdigest()[:16]}.webp"
        write_atomically(path, lambda handle: handle.write(data))
        return f"{self.folder.name}/{path.name}"


def _webp(rgb: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(rgb).save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()
