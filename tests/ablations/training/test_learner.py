"""One step: its precision is its own, and what crashes the compiler is refused before it does."""

from dataclasses import replace

import pytest
import torch

from safmn_bench.ablations.recipe import Recipe, load_recipe
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner, require_compiler
from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


def recipe(**compute: object) -> Recipe:
    quick = load_recipe("quick")
    return replace(quick, compute=replace(quick.compute, **compute))  # pyright: ignore[reportArgumentType]


def test_learners_of_two_precisions_may_take_turns():
    """TF32 is a switch of the process: set when a learner was built, it leaked into the steps of those before."""
    lr, hr = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32)
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        learners = {
            name: Learner(SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=4), recipe(precision=name), Group(0, 1, CPU))
            for name in ("fp32", "tf32")
        }
        for name, allowed in (("fp32", False), ("tf32", True), ("fp32", False)):
            learners[name].step(lr, hr, 0)
            assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (allowed, allowed)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_bf16_compiled_in_the_fast_form_is_refused_on_a_cpu_before_torch_2_13():
    compute = recipe(precision="bf16", fast=True, compile=True).compute
    with pytest.raises(UserError, match=r"crashes torch 2\.11\.0\+cpu on a CPU\. Allowed: torch 2\.13 or newer"):
        require_compiler(compute, CPU, "2.11.0+cpu")
    require_compiler(compute, CPU, "2.13.0+cpu")
    require_compiler(compute, GPU, "2.11.0+cu130")
    require_compiler(replace(compute, fast=False), CPU, "2.11.0")
    require_compiler(replace(compute, precision="fp32"), CPU, "2.11.0")
