"""The native form: a whole SAFMN as one function in C++ (source/), for inference on a CPU.

`native_form(network)` is the drop-in: the results of the network in evaluation mode, to 2e-5 of their largest value
when judged against float64. What makes it fast stands in source/: the 3x3 convolutions by Winograd's F(4x4, 3x3),
everything between convolutions fused into their loops, strips of the image that stay in cache from SAFM to mixer.
"""

import ctypes
import functools
from pathlib import Path

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.native.build import Geometry, Instructions, build, instructions
from safmn_bench.models.native.maps import Level, level_maps
from safmn_bench.models.native.packing import MIXERS, Block, Network, pack
from safmn_bench.models.safmn import SAFMN
from safmn_bench.models.variants import SCALES


def refusal(network: nn.Module) -> str | None:
    """Why a network has no native form, as a sentence; None where it has one."""
    if not isinstance(network, SAFMN):
        return f"The native form is SAFMN's and its variants', and {type(network).__name__} is neither: choose another."
    if network.config.mixer not in MIXERS:
        known = ", ".join(repr(name) for name in MIXERS)
        return f"The native form has no mixer {network.config.mixer!r}, only {known}: choose the fast form."
    if network.scale not in SCALES:
        return f"The native form has the scales 2, 3 and 4, not {network.scale}: choose the fast form."
    return None


def native_form(network: nn.Module) -> "NativeSAFMN":
    """The network in its native form, with the weights that it has now.

    Raises UserError: a network without one (`refusal`), or no library for it (no compiler, a cache that cannot be
    written). Nothing else is used instead: whoever wants the fast form then asks for it.
    """
    return NativeSAFMN(network, instructions())


class NativeSAFMN(nn.Module):
    """RGB (B, 3, H, W), float32 on the CPU, to (B, 3, scale H, scale W), any H and W from 1 up, without gradients.

    It runs on torch's number of threads, which does not change a bit of the result, and holds no memory between calls.
    The images of a batch are done one after the other. Several Python threads may call it at the same time.
    """

    def __init__(self, network: nn.Module, kind: Instructions) -> None:
        super().__init__()
        if (reason := refusal(network)) is not None:
            raise UserError(reason)
        assert isinstance(network, SAFMN)  # told by `refusal`
        self.config = config = network.config
        self.scale, self.levels, self.pooling = network.scale, config.levels, config.pooling
        geometry = Geometry(dim=config.dim, hidden=int(config.dim * config.expansion), levels=config.levels)
        self._library = _load(build(geometry, kind, cache_folder() / "native"))
        self._packed = pack(network, kind.lanes)
        self.eval()

    @property
    def tensors(self) -> list[torch.Tensor]:
        """The weights as they are used: a 3x3 filter is 6x6 by then."""
        return self._packed.tensors

    def train(self, mode: bool = True) -> "NativeSAFMN":
        """Evaluation mode only: raises UserError for training."""
        if mode:
            raise UserError("The native form does not train: train the network itself, and take its native form then.")
        return super().train(False)

    @torch.compiler.disable  # what it calls cannot be traced
    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """The SR image. Raises UserError for an input that it cannot take."""
        _check(x)
        (images, _, height, width), threads = x.shape, torch.get_num_threads()
        x, sr = x.detach().contiguous(), torch.empty(images, 3, self.scale * height, self.scale * width)
        levels, _ = level_maps(self.levels, self.pooling, height, width)
        network = ctypes.byref(self._packed.network)
        memory = torch.empty(self._library.safmn_memory(network, levels, height, width, threads))
        self._library.safmn_run(
            network, levels, x.data_ptr(), sr.data_ptr(), images, height, width, memory.data_ptr(), threads
        )
        return sr


def _check(x: torch.Tensor) -> None:
    if torch.jit.is_tracing():  # type: ignore[attr-defined]
        raise UserError("The native form cannot be traced: count or export the network itself.")
    if x.dim() != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 1:
        raise UserError(f"The native form takes images of shape (B, 3, H, W), not {tuple(x.shape)}.")
    if x.dtype != torch.float32 or x.device.type != "cpu":
        raise UserError(f"The native form takes float32 on the CPU, not {x.dtype} on {x.device}: choose the fast form.")
    if torch.is_grad_enabled() and x.requires_grad:
        raise UserError("The native form has no gradients: choose the fast form, or call it in torch.inference_mode().")


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    """The library with its signatures. Raises UserError where the system does not load it."""
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        advice = "Choose the fast form, or another folder by SAFMN_BENCH_CACHE."
        raise UserError(f"Cannot load {path}: {error}. {advice}") from error
    network, levels, floats, integer = ctypes.POINTER(Network), ctypes.POINTER(Level), ctypes.c_void_p, ctypes.c_int32
    library.safmn_memory.argtypes = [network, levels, integer, integer, integer]
    library.safmn_memory.restype = ctypes.c_int64
    library.safmn_run.argtypes = [network, levels, floats, floats, integer, integer, integer, floats, integer]
    library.safmn_run.restype = None
    theirs = (library.safmn_block_bytes(), library.safmn_network_bytes(), library.safmn_level_bytes())
    assert theirs == tuple(map(ctypes.sizeof, (Block, Network, Level))), "a structure differs from layout.h"
    return library
