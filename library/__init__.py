"""safmn-bench as a library: networks in, small results out.

import safmn_bench as sb

network = sb.create_model("mynet.py:MyNet", scale=4, weights="mine.pth")
sb.count(network)                                      # parameters, multiply-adds, activations
sb.latency(network, lr=(320, 180))                     # median and spread, in ms
sb.evaluate(network, "Set5")                           # PSNR and SSIM by the literature's protocol
sb.attribute(network, "butterfly.png", (150, 40, 16))  # what it looks at: LAM and DI
sb.upscale(network, "photo.png")                       # a picture

Any torch.nn.Module serves that takes RGB (B, 3, H, W) in [0, 1] and gives (B, 3, scale H, scale W); `create_model` also
adapts networks of other conventions. Wrong input raises `sb.UserError`, whose text says what is allowed. Nothing is
imported before it is used: `import safmn_bench` costs milliseconds. The commands are in `safmn-bench --help`.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from safmn_bench.analysis.stats.frames import RunFrames, load_runs
    from safmn_bench.models.errors import UserError
    from safmn_bench.networks import attribute, count, create_model, evaluate, latency, upscale
    from safmn_bench.results import Attribution, Count, Evaluation, Latency

    __version__: str

# The folders of code have no __init__.py; an editable installation finds such ones through an entry of the path alone.
__path__ += [entry for entry in sys.path if entry.startswith("__editable__.safmn_bench")]

__all__ = [
    "Attribution",
    "Count",
    "Evaluation",
    "Latency",
    "RunFrames",
    "UserError",
    "attribute",
    "count",
    "create_model",
    "evaluate",
    "latency",
    "load_runs",
    "upscale",
]
_ELSEWHERE = {
    "Attribution": "results",
    "Count": "results",
    "Evaluation": "results",
    "Latency": "results",
    "RunFrames": "analysis.stats.frames",
    "load_runs": "analysis.stats.frames",
    "UserError": "models.errors",
}
"""Where a name is, unless in networks.py."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("safmn-bench")
    if name in __all__:
        return getattr(import_module(f"safmn_bench.{_ELSEWHERE.get(name, 'networks')}"), name)
    raise AttributeError(f"module 'safmn_bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
