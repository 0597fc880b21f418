"""What tests of a GPU share: the device, or the reason why they skip."""

import pytest
import torch


@pytest.fixture
def gpu() -> torch.device:
    """The GPU; its float32 products are exact unless a test says otherwise."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda", 0)
