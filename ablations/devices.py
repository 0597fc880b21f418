"""Which device computes: the choice is made in profiling, which runs without ablations."""

from safmn_bench.profiling.devices import choose_device as choose_device
