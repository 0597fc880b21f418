"""Checks of a network: each gives a line that says whether it holds, with the reason and how to mend it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.reparameterisation import deployed
from safmn_bench.models.resize import bicubic_up
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.checking.geometry import (
    LARGEST_REACH,
    SIDES,
    failing_sides,
    first_line,
    measured_reach,
    multiple_of,
)
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.counting.flops import count, counted_at
from safmn_bench.profiling.runtimes.onnx_form import TOLERANCE, largest_difference, size_multiple, to_onnx

HOLDS, FAILS, NOTE = "holds", "fails", "note"
BUILDS = "builds"
_CLOSE = 1e-4  # of a range of 1: sums in another order, and nothing more
_CUDA = re.compile(r"NVIDIA driver|not compiled with CUDA|CUDA (is not available|error)|No CUDA GPUs", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, how it came out, why, and what to do about it."""

    check: str
    state: str
    reason: str
    mend: str = ""


def run_checks(
    candidate: Candidate, scale: int, wanted: Sequence[str], begin: Callable[[str], object] = lambda name: None
) -> Iterator[Finding]:
    """Every wanted check in order, `begin` told of each before it; ends where the network cannot be built."""
    begin(BUILDS)
    built = check_builds(candidate, scale)
    yield built
    if built.state == FAILS:
        return
    network = _fresh(candidate, scale)
    steady = True
    for name in wanted:
        if not steady and name in _NEED_STEADY:
            continue
        begin(name)
        try:
            finding = CHECKS[name](network, candidate, scale)
        except Exception as error:  # what breaks one check is that check's finding
            finding = Finding(name, FAILS, f"{type(error).__name__}: {first_line(error)}")
        steady = steady and (name, finding.state) != ("evaluation", FAILS)
        yield finding


def check_builds(candidate: Candidate, scale: int) -> Finding:
    """The constructor runs on a CPU, and leaves every tensor there."""
    try:
        network = _fresh(candidate, scale)
    except UserError as error:
        mend = "Leave devices to the suite: no .cuda() and no device= in the constructor." if _cuda(error) else ""
        return Finding(BUILDS, FAILS, str(error), mend)
    tensors = [*network.named_parameters(), *network.named_buffers()]
    if away := [name for name, tensor in tensors if tensor.device.type != "cpu"]:
        mend = "Leave devices to the suite: no .cuda() and no device= in the constructor."
        return Finding(BUILDS, FAILS, f"{away[0]} is on {dict(tensors)[away[0]].device}, not on the CPU.", mend)
    count_of = sum(parameter.numel() for parameter in network.parameters())
    return Finding(BUILDS, HOLDS, f"{type(network).__name__} with {count_of:,} parameters, on a CPU.")


def check_sizes(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """SR is scale times LR for every LR side; else the multiple that sides must have."""
    failing = failing_sides(network, scale)
    if not failing:
        return Finding("sizes", HOLDS, f"SR is {scale} times LR for every side from {SIDES[0]} to {SIDES[-1]}.")
    first, reason = next(iter(failing.items()))
    works = [side for side in SIDES if side not in failing]
    multiple = multiple_of(works)
    told = f"{len(failing)} of {len(SIDES)} sides fail, such as {first}: {reason}"
    if multiple is None and works:
        return Finding("sizes", FAILS, told, f"The smallest side that works is {works[0]}; pad smaller images.")
    if multiple is None:
        return Finding("sizes", FAILS, told, f"No side works: is its scale {scale}?")
    mend = (
        f"Sides must be multiples of {multiple}: write `size_multiple = {multiple}` in the class (the suite then pads)."
    )
    return Finding("sizes", FAILS, told, mend)


def check_gradients(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """Training reaches every parameter."""
    network.train()
    network.zero_grad()
    _sr(network(_picture())).sum().backward()
    trained = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    if not trained:
        return Finding("gradients", NOTE, "There is nothing to train.")
    idle = [name for name, parameter in trained if parameter.grad is None]
    if idle:
        mend = "Remove them, or use them: they are counted, and torch's distributed training refuses them."
        return Finding("gradients", FAILS, f"{len(idle)} parameters get no gradient, such as {idle[0]}.", mend)
    return Finding("gradients", HOLDS, f"All {len(trained)} parameters get one.")


def check_batch(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """An image's result does not depend on what else is in the batch."""
    lr = torch.cat([_picture(), _picture().flip(-1) / 2])
    both, alone = _run(network, lr), torch.cat([_run(network, image[None]) for image in lr])
    worst = float((both - alone).abs().max())
    if worst > _CLOSE:
        mend = "Take statistics over each image alone, not over dimension 0."
        return Finding("batch", FAILS, f"SR differs by {worst:.1e} when another image is beside it.", mend)
    return Finding("batch", HOLDS, f"Images of a batch do not meet (largest difference {worst:.0e}).")


def check_evaluation(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """Evaluation mode is the same every time, and changes nothing in the network."""
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first, second = _run(network, _picture()), _run(network, _picture())
    if not torch.equal(first, second):
        mend = "Give F.dropout its `training=self.training`, or use nn.Dropout; draw no random numbers in evaluation."
        worst = float((first - second).abs().max())
        return Finding("evaluation", FAILS, f"Two passes over one image differ by {worst:.1e}.", mend)
    changed = [key for key, value in network.state_dict().items() if not torch.equal(value, before[key])]
    if changed:
        return Finding("evaluation", FAILS, f"A pass changes {changed[0]}.", "Update buffers in training mode only.")
    return Finding("evaluation", HOLDS, "Two passes give the same bits, and change no buffer.")


def check_range(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """SR is about as bright as bicubic's; with fresh weights that may not be so yet."""
    lr = _picture()
    sr, bicubic = _run(network, lr), bicubic_up(lr, scale)
    ratio = float(sr.abs().mean() / bicubic.abs().mean())
    told = f"Mean |SR| is {ratio:.2g} times bicubic's."
    if ratio > 20:
        mend = "Does it work on 0 to 255? Write SAFMN_BENCH = {'input_range': 255} in the class."
        return Finding("range", NOTE, told, mend)
    return Finding("range", HOLDS if ratio > 0.2 else NOTE, told)


def check_deployed(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """The merged form of a re-parameterised network computes the same."""
    network.eval()
    merged = deployed(network)
    if merged is network:
        return _one_form(network)
    worst = float((_run(merged, _picture()) - _run(network, _picture())).abs().max())
    counts = [sum(p.numel() for p in form.parameters()) for form in (network, merged)]
    told = f"{counts[0]:,} parameters in training, {counts[1]:,} deployed; SR differs by {worst:.1e}."
    if worst > _CLOSE:
        return Finding("deployed", FAILS, told, "The merged convolution is not the sum of the branches.")
    return Finding("deployed", HOLDS, told)


def _one_form(network: nn.Module) -> Finding:
    """Parameters without a part in evaluation are those of parts that are merged in a way that the suite cannot see."""
    network.zero_grad()
    network(_picture()).sum().backward()
    idle = sum(p.numel() for p in network.parameters() if p.requires_grad and p.grad is None)
    if not idle:
        return Finding("deployed", NOTE, "It has one form: nothing that is merged for deployment.")
    total = sum(p.numel() for p in network.parameters())
    told = f"{idle:,} of its {total:,} parameters have no part in evaluation, and are counted."
    mend = "If they are merged into others, give that part a `switch_to_deploy()` that removes them."
    return Finding("deployed", NOTE, told, mend)


def check_counting(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """Which operators fvcore cannot count."""
    cost = count(*counted_at(_fresh(candidate, scale), 48, 64))
    calls = ", ".join(f"{name} ({number})" for name, number in cost.uncounted_ops.items())
    told = f"{cost.flops:,} MACs and {cost.acts:,} activations at LR 64x48."
    return Finding("counting", NOTE if calls else HOLDS, f"{told} Not counted: {calls or 'nothing'}.")


def check_state(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """A state dict carries everything to a network built anew."""
    other = _fresh(candidate, scale)
    other.load_state_dict(network.state_dict())
    if not torch.equal(_run(other, _picture()), _run(network, _picture())):
        mend = "Register what decides the output as a parameter or a buffer."
        return Finding("state", FAILS, "A network built anew with the same state dict gives another SR.", mend)
    return Finding("state", HOLDS, f"{len(network.state_dict())} entries carry the network over.")


def check_reach(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """How far an output pixel sees, which tiles must overlap by."""
    reach = measured_reach(network)
    if reach is None:
        return Finding("reach", NOTE, f"It sees further than {LARGEST_REACH} LR pixels: tiles change SR slightly.")
    return Finding("reach", HOLDS, f"It sees {reach} LR pixels to each side: tiles overlap by as much.")


def check_compile(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """torch.compile of it computes the same."""
    if not getattr(network, "compilable", True):
        return Finding("compile", NOTE, "It says itself that it is not to be compiled (`compilable = False`).")
    compiled = torch.compile(network.eval())
    with torch.no_grad():
        worst = float((_sr(compiled(_picture())) - _run(network, _picture())).abs().max())
    return Finding("compile", HOLDS if worst < _CLOSE else FAILS, f"torch.compile's SR differs by {worst:.1e}.")


def check_onnx(network: nn.Module, candidate: Candidate, scale: int) -> Finding:
    """It exports to ONNX: for any size, or for one."""
    form = deployed(network.eval())
    step = max(size_multiple(form), 8)
    try:
        exported, how = to_onnx(form, (1, 3, 5 * step, 6 * step), dynamic=True), "any size"
    except Exception:
        exported, how = to_onnx(form, (1, 3, 5 * step, 6 * step), dynamic=False), "one size alone (export --fixed)"
    worst = largest_difference(form, exported, photograph(5 * step, 6 * step))
    told = f"Exports for {how}; ONNX Runtime's SR differs by {worst:.1e}."
    if worst > TOLERANCE:
        return Finding("onnx", FAILS, told)
    mend = "" if how == "any size" else "Take sizes from the tensors, not from Python numbers kept in the network."
    return Finding("onnx", NOTE if mend else HOLDS, told, mend)


Check = Callable[[nn.Module, Candidate, int], Finding]
CHECKS: dict[str, Check] = {
    "sizes": check_sizes,
    "gradients": check_gradients,
    "evaluation": check_evaluation,
    "batch": check_batch,
    "range": check_range,
    "deployed": check_deployed,
    "counting": check_counting,
    "state": check_state,
    "reach": check_reach,
    "compile": check_compile,
    "onnx": check_onnx,
}


_NEED_STEADY = ("batch", "deployed", "state", "compile", "onnx")  # compare two passes: vain where each gives another


def _fresh(candidate: Candidate, scale: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return candidate.build(scale)


@torch.no_grad()
def _run(network: nn.Module, lr: torch.Tensor) -> torch.Tensor:
    return _sr(network.eval()(lr))


def _sr(output: torch.Tensor) -> torch.Tensor:
    return output.float()


def _picture() -> torch.Tensor:
    return photograph(64, 64)


def _cuda(error: BaseException) -> bool:
    return bool(_CUDA.search(str(error)))
