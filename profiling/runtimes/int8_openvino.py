"""Static 8-bit quantisation for OpenVINO, by NNCF: convolutions alone, with its correction of biases."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.runtimes.in_openvino import files_of, library, model_of, start
from safmn_bench.profiling.runtimes.recipe import Recipe
from safmn_bench.profiling.runtimes.runtime import Files, Setting, Shape

_QUANTISED = ("Convolution", "GroupConvolution")
_SAME = 1e-4  # of a range of 1: rounding


@dataclass(frozen=True)
class _Models:
    """OpenVINO's models for LR of any size, which cannot be told from the trace: `convert` compares the float one."""

    in_float: Any
    in_int8: Any


def convert(network: nn.Module, shape: Shape, recipe: Recipe) -> Files:
    """OpenVINO's two files with the recipe's layers in int8.

    Raises UserError for a recipe of another network, and for a network whose code is another at this size.
    """
    models = _quantised(network, recipe)
    lr = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(lr)
    run = start(files_of(models.in_float.clone(), shape), Setting(threads=torch.get_num_threads()))
    if not (torch.from_numpy(run(lr.numpy())) - expected).abs().max() <= _SAME:
        raise UserError(
            f"{type(network).__name__} cannot be quantised for OpenVINO at LR {shape[-1]}x{shape[-2]}: what its code "
            "does depends on the size, and it was quantised at another."
        )
    return files_of(models.in_int8.clone(), shape)


@lru_cache(1)
def _quantised(network: nn.Module, recipe: Recipe) -> _Models:
    """For LR of any size, by the recipe's images; takes a minute, and is kept for the next size."""
    recipe.require_for(network)
    nncf = library("nncf")
    model = model_of(network, (1, 3, *recipe.images.shape[-2:]), any_size=True)
    others = sorted({operation.get_type_name() for operation in model.get_ops()} - {*_QUANTISED})
    in_float = [rf"__module\.{re.escape(name)}/.*" for name in recipe.in_float]
    images = [image[None].astype("float32") / 255 for image in recipe.images]
    whole = library("nncf.quantization.range_estimator").RangeEstimatorParametersSet.MINMAX
    with _silent():
        quantised = nncf.quantize(
            model,
            nncf.Dataset(images),
            preset=nncf.QuantizationPreset.MIXED,  # unsymmetric activations: GELU's are
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(patterns=in_float, types=others, validate=False),
            # the whole range, as the recipe has it: by default NNCF takes a mean over images, which clips
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=whole),
        )
    return _Models(in_float=model, in_int8=quantised)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without NNCF's bars and remarks."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
