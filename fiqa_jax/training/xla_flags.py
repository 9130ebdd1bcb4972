"""Flags for XLA that must stand in the environment before the first use of a device.

jaxlib 0.10.2 sends two-dimensional convolutions on CPUs to YNNPACK, which is slow for their
gradients: a ResNet-18 step of 8 photographs at 224 px takes 2.7 times as long
(`benchmarks/train_step.py`). A flag that a version does not know ends the process, so it is set
only for versions on which it was measured to help, and never over a value of the user's own.
"""

import os
from importlib import metadata
from typing import Any

import jax

YNNPACK = "--xla_cpu_experimental_ynn_fusion_type"
WITHOUT_CONVOLUTIONS = "-individual_convolution"
MEASURED = ("0.10.2",)
DETERMINISTIC = "--xla_gpu_deterministic_ops"


def prefer_own_convolutions() -> bool:
    """Leaves convolutions on CPUs to XLA itself where that was measured to be faster.

    Returns:
      Whether the flag stands now; False for other versions of jaxlib, and where XLA_FLAGS names the
      flag already.
    """
    try:
        version = metadata.version("jaxlib")
    except metadata.PackageNotFoundError:
        return False
    return version in MEASURED and add(YNNPACK, WITHOUT_CONVOLUTIONS)


def quick() -> dict[str, Any] | None:
    """Options of `jax.jit` for a program that runs a few times only.

    Without LLVM's optimisation a model on a CPU is compiled in a third of the time and runs seven
    times as long; its numbers are equal to rounding. None where that was not measured.
    """
    try:
        measured = metadata.version("jaxlib") in MEASURED
    except metadata.PackageNotFoundError:
        return None
    on_cpu = jax.default_backend() == "cpu"
    return {"xla_backend_optimization_level": 0} if measured and on_cpu else None


def add(name: str, value: str) -> bool:
    """Appends `name=value` to XLA_FLAGS unless a value of the user's own stands there.

    Returns:
      Whether it was appended.
    """
    flags = os.environ.get("XLA_FLAGS", "").split()
    if any(flag.partition("=")[0] == name for flag in flags):
        return False
    os.environ["XLA_FLAGS"] = " ".join([*flags, f"{name}={value}"])
    return True
