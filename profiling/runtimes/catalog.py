"""The runtimes by the names that commands take: a row each."""

from safmn_bench.profiling.runtimes import in_ncnn, in_onnxruntime, in_openvino, int8_onnxruntime, int8_openvino
from safmn_bench.profiling.runtimes.runtime import Runtime

RUNTIMES = {
    "onnxruntime": Runtime(
        title="ONNX Runtime",
        packages=("onnx", "onnxscript", "onnxruntime"),
        extra="onnx",
        dtypes=("fp32", "int8"),
        devices=("cpu", "cuda"),
        convert=in_onnxruntime.convert,
        start=in_onnxruntime.start,
        quantise=int8_onnxruntime.convert,
    ),
    "openvino": Runtime(
        title="OpenVINO",
        packages=("openvino",),
        extra="openvino",
        dtypes=("fp32", "bf16", "int8"),
        convert=in_openvino.convert,
        start=in_openvino.start,
        quantise=int8_openvino.convert,
        quantise_packages=("nncf",),
    ),
    "ncnn": Runtime(
        title="ncnn",
        packages=("ncnn", "pnnx"),
        extra="ncnn",
        convert=in_ncnn.convert,
        start=in_ncnn.start,
    ),
}
