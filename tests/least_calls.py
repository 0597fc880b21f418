"""The fewest options with which each command gets past its door."""

LEAST = {
    "run": ["--variant", "bn"],
    "upscale": ["in.png", "out.png"],
    "check": ["safmn"],
    "compare": ["safmn"],
    "power": ["--sd", "0.02"],
    "evaluate": ["--model", "bicubic"],
    "complexity": ["--table", "3"],
    "export": ["--out", "a.onnx"],
    "tables": ["--table", "3"],
    "figures": ["--figure", "1"],
    "lam": ["--models", "a"],
    "study": ["--runs", "c"],
    "card": ["c"],
    "quantise": ["--out", "a.npz"],
    "inside": ["--models", "a"],
}
