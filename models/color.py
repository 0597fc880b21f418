"""BT.601 colour conversion in the 16-235 range, as MATLAB's rgb2ycbcr and the super-resolution papers use it.

RGB and YCbCr are both scaled to [0, 1] here: multiply by 255 for the usual 16-235 numbers.
"""

import torch

from safmn_bench.models.keeping import kept

# Rows: Y, Cb, Cr from R, G, B in [0, 1]; MATLAB's rgb2ycbcr gives the same figures on the 0-255 scale.
_FROM_RGB = (
    (65.481, 128.553, 24.966),
    (-37.797, -74.203, 112.0),
    (112.0, -93.786, -18.214),
)
_OFFSET = (16.0, 128.0, 128.0)  # where black's Y and grey's Cb and Cr lie, on the 0-255 scale


@kept(16)
def _conversion(dtype: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(matrix, inverse, offset), computed in float64 and then cast."""
    matrix = torch.tensor(_FROM_RGB, dtype=torch.float64) / 255.0
    offset = torch.tensor(_OFFSET, dtype=torch.float64).view(3, 1, 1) / 255.0
    parts = (matrix, torch.linalg.inv(matrix), offset)
    return tuple(part.to(device=device, dtype=dtype) for part in parts)  # type: ignore[return-value]


def rgb_to_ycbcr(rgb: torch.Tensor) -> torch.Tensor:
    """Convert RGB (B, 3, H, W) in [0, 1] to YCbCr of the same shape, Y in [16/255, 235/255]."""
    matrix, _, offset = _conversion(rgb.dtype, rgb.device)
    return torch.einsum("ij,bjhw->bihw", matrix, rgb) + offset


def ycbcr_to_rgb(ycbcr: torch.Tensor) -> torch.Tensor:
    """Invert `rgb_to_ycbcr`; the result is not clamped."""
    _, inverse, offset = _conversion(ycbcr.dtype, ycbcr.device)
    return torch.einsum("ij,bjhw->bihw", inverse, ycbcr - offset)


def luma(rgb: torch.Tensor) -> torch.Tensor:
    """Y alone, (B, 1, H, W) in [16/255, 235/255], of RGB (B, 3, H, W) in [0, 1]."""
    matrix, _, offset = _conversion(rgb.dtype, rgb.device)
    return torch.einsum("j,bjhw->bhw", matrix[0], rgb).unsqueeze(1) + offset[:1]
