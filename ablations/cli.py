"""`safmn-bench NAME ...`: the scripts of the suite under one command."""

import importlib
import sys

from safmn_bench.models.errors import match_name
from safmn_bench.profiling.common import completion
from safmn_bench.profiling.common.door import command

SCRIPTS = {
    "run": ("ablations", "train, score and profile variants and models"),
    "evaluate": ("ablations", "score weights on benchmarks"),
    "upscale": ("ablations", "enlarge images, of which no HR is needed"),
    "prepare": ("ablations", "pack a training set once"),
    "throughput": ("ablations", "the pace of training beside the hardware's floors"),
    "gpu": ("ablations", "what a GPU does with the suite, in minutes: tests, pace, Tables 2 and 5, a first ablation"),
    "noise": ("ablations", "what lowers the noise between two trainings"),
    "compare": ("analysis", "networks side by side: counts, time, memory, scores, attribution, a row each"),
    "tables": ("analysis", "Tables 1 to 5, published beside measured, as CSV, LaTeX or Markdown"),
    "figures": ("analysis", "Figures 1, 5, 6 and 7 as PDF, SVG and PNG"),
    "lam": ("analysis", "what networks look at: attribution maps and the diffusion index (Figure 2)"),
    "inside": ("analysis", "effective receptive fields, and spectra of features and of the error"),
    "power": ("analysis", "seeds for a difference, and the difference that a number of seeds finds"),
    "report": ("analysis", "one HTML page from a runs folder"),
    "card": ("analysis", "a finished run as a folder for a model hub: weights, configuration, model card"),
    "study": ("analysis", "a folder of ablations told whole: tables, figures, ranking against the paper, README"),
    "check": ("profiling", "what holds of a network of one's own, what does not, and how to mend it"),
    "complexity": ("profiling", "parameters, FLOPs and activations (Tables 1, 3, 4)"),
    "export": ("profiling", "a network as an ONNX file, checked in ONNX Runtime"),
    "operators": ("profiling", "times of the operators of a forward pass (Table 5)"),
    "runtimes": ("ablations", "a network in ONNX Runtime, OpenVINO, ncnn and PyTorch: difference, PSNR, time, memory"),
    "quantise": ("ablations", "which layers of a network can run in int8, and what that loses"),
    "latency": ("profiling", "time and memory of a forward pass (Table 2)"),
}


@command
def main(argv: list[str] | None = None) -> int:
    """Hand the arguments to the named script."""
    arguments = sys.argv[1:] if argv is None else argv
    if completion.wanted():
        arguments = [completion.command_in_line(SCRIPTS)]
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, SCRIPTS))
        lines = [f"  {name:{width}}  {what}" for name, (_, what) in SCRIPTS.items()]
        print(
            "usage: safmn-bench NAME [options]     (safmn-bench NAME --help tells the options)\n"
            'Completion in bash (or zsh, fish): eval "$(safmn-bench --completion bash)"\n\n' + "\n".join(lines)
        )
        return 0
    if arguments[0] == "--version":
        from safmn_bench.profiling.common.options import version

        print(version())
        return 0
    if arguments[0] == "--completion":
        print(completion.shell_code((*arguments[1:], "bash")[0]))
        return 0
    name = match_name("command", arguments[0], SCRIPTS)
    folder, _ = SCRIPTS[name]
    return importlib.import_module(f"safmn_bench.{folder}.{name}").main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
