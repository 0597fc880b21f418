"""Static 8-bit quantisation for ONNX Runtime: QDQ format, activations unsigned, weights signed by output channel."""

import logging
from importlib import import_module

import numpy as np
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.runtimes import in_onnxruntime
from safmn_bench.profiling.runtimes.onnx_form import to_onnx
from safmn_bench.profiling.runtimes.recipe import Recipe
from safmn_bench.profiling.runtimes.runtime import Files, Shape


def convert(network: nn.Module, shape: Shape, recipe: Recipe) -> Files:
    """The ONNX file with the recipe's layers in int8. Raises UserError for a recipe of another network."""
    recipe.require_for(network)
    onnx, quantisation = import_module("onnx"), import_module("onnxruntime.quantization")
    model = onnx.load_from_string(to_onnx(network, shape).content)
    nodes = _nodes(model, recipe)
    ranges = _tensor_ranges(nodes, recipe)
    logging.getLogger().addFilter(_without_advice)
    try:
        quantiser = import_module("onnxruntime.quantization.qdq_quantizer").QDQQuantizer(
            model,
            per_channel=True,
            reduce_range=False,  # of AVX2 without VNNI, whose sums would saturate; the CPUs of today have VNNI
            weight_qType=quantisation.QuantType.QInt8,
            activation_qType=quantisation.QuantType.QUInt8,
            tensors_range=_range_data(ranges),
            nodes_to_quantize=[node.name for name in recipe.quantised for node in nodes[name]],
            nodes_to_exclude=[],
            op_types_to_quantize=["Conv"],
            extra_options={},
        )
        quantiser.quantize_model()
    finally:
        logging.getLogger().removeFilter(_without_advice)
    return in_onnxruntime.files_of(quantiser.model.model.SerializeToString())


def _nodes(model: object, recipe: Recipe) -> dict[str, list]:
    """Layer -> its nodes: one, or more where a layer is called more than once."""
    nodes: dict[str, list] = {layer.name: [] for layer in recipe.layers}
    for node in model.graph.node:  # type: ignore[attr-defined]
        layer = node.input[1].removesuffix(".weight") if node.op_type == "Conv" else ""
        if layer in nodes:
            nodes[layer].append(node)
    if lost := [name for name in recipe.quantised if not nodes[name]]:
        raise UserError(
            f"{recipe.network} cannot be quantised for ONNX Runtime: of {len(lost)} layers, such as {lost[0]}, the "
            "exported weights are no longer their own."
        )
    return nodes


def _tensor_ranges(nodes: dict[str, list], recipe: Recipe) -> dict[str, tuple[float, float]]:
    """Tensor -> range; of what several layers take or give, the widest."""
    ranges: dict[str, tuple[float, float]] = {}
    for layer in recipe.layers:
        for node in nodes[layer.name]:
            for tensor, (low, high) in ((node.input[0], layer.input_range), (node.output[0], layer.output_range)):
                before = ranges.get(tensor, (low, high))
                ranges[tensor] = min(low, before[0]), max(high, before[1])
    return ranges


def _range_data(ranges: dict[str, tuple[float, float]]) -> object:
    calibrate = import_module("onnxruntime.quantization.calibrate")
    pairs = {name: tuple(np.array(bound, dtype=np.float32) for bound in bounds) for name, bounds in ranges.items()}
    return calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, pairs)


def _without_advice(record: logging.LogRecord) -> bool:
    return record.levelno > logging.WARNING
