"""The training loss of the paper: L1 plus a frequency loss."""

import torch

from safmn_bench.ablations.recipe import LossKeys


def l1_fft_loss(sr: torch.Tensor, hr: torch.Tensor, weights: LossKeys) -> torch.Tensor:
    """`l1` x mean |SR - HR| + `fft` x mean |.| over real and imaginary parts of rfft2(SR) - rfft2(HR).

    sr, hr: float (B, 3, H, W) in [0, 1]. Section 4.1, after ShuffleMixer; torch.fft.rfft2 without normalisation.
    The transform is linear, so it is taken once, of SR - HR. Computed in float32 under any precision.
    """
    error = sr.float() - hr.float()
    loss = weights.l1 * error.abs().mean()
    if weights.fft:
        spectrum = torch.view_as_real(torch.fft.rfft2(error))
        loss = loss + weights.fft * spectrum.abs().mean()
    return loss
