"""Where the devices are: one mesh of all devices, jitted by default, pmapped on request.

A method is written once, against `Axis`. Under jit it sees the global batch and both operations do
nothing (XLA inserts the collectives); under pmap it sees its device's share and they reduce over
all devices. Two rules make both give the same numbers:

1. every gradient that is used goes through `axis.mean`, inner ones too;
2. whatever is not linear in a batch statistic is built from `axis.sum` of sums and counts.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from fiqa_jax.training import xla_flags

NAME = "data"


@dataclasses.dataclass(frozen=True)
class Axis:
    """The batch axis as a method sees it. name: None under jit, 'data' under pmap."""

    name: str | None = None

    def mean(self, tree: Any) -> Any:
        """Mean over devices of every leaf; the identity under jit."""
        return tree if self.name is None else jax.lax.pmean(tree, self.name)

    def sum(self, tree: Any) -> Any:
        """Sum over devices of every leaf; the identity under jit."""
        return tree if self.name is None else jax.lax.psum(tree, self.name)

    def gather(self, tree: Any) -> Any:
        """Joins every leaf over devices along its first axis; the identity under jit."""
        if self.name is None:
            return tree
        return jax.tree.map(lambda x: jax.lax.all_gather(x, self.name, tiled=True), tree)


Step = Callable[[Any, Any, jax.Array], tuple[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Devices:
    """How states and batches are placed and how functions over them are compiled.

    Attributes:
      kind: 'jit' or 'pmap'.
      place: host or device state -> state replicated over the devices, ready for donation.
      put: dict of this process's rows of a batch (numpy, `[B / processes, ...]`) -> device batch.
      step: step(state, batch, key, axis) -> compiled (state, batch, key) -> (state, scalars); the
        state given is donated.
      predict: f(variables, batch) -> compiled (variables, batch) -> outputs of the WHOLE
        batch, replicated, so that every process can read them.
      globalise: state -> arrays that a checkpointer can save on several processes.
      count: devices over all processes; a batch divides by it.
      replicated: where a restored state is read to: every device of every process.
    """

    kind: str
    place: Callable[[Any], Any]
    put: Callable[[Mapping[str, np.ndarray]], Any]
    step: Callable[[Callable[..., Any]], Step]
    predict: Callable[[Callable[..., Any]], Callable[[Any, Any], Any]]
    globalise: Callable[[Any], Any]
    count: int
    replicated: NamedSharding

    def check_batch(self, batch: int) -> None:
        """Raises ValueError unless `batch` divides over all devices."""
        if batch % self.count:
            raise ValueError(
                f"a batch of {batch} does not divide over {self.count} devices; set "
                "--config.train.batch to a multiple of it"
            )


def make(kind: str, devices: Sequence[jax.Device] | None = None) -> Devices:
    """Devices over all accelerators (or CPU devices) of all processes.

    Args:
      kind: 'jit' (arrays sharded over a mesh) or 'pmap' (one program per device).
      devices: these only, on a single process; None for all.

    Raises:
      ValueError: another kind.
    """
    kinds = {"jit": _jit, "pmap": _pmap}
    if kind not in kinds:
        raise ValueError(f"parallel is 'jit' or 'pmap', not {kind!r}")
    return kinds[kind](devices)


def _mesh(devices: Sequence[jax.Device] | None) -> Mesh:
    chosen = jax.devices() if devices is None else list(devices)
    return jax.make_mesh((len(chosen),), (NAME,), (AxisType.Auto,), devices=chosen)


def _jit(devices: Sequence[jax.Device] | None) -> Devices:
    mesh = _mesh(devices)
    everywhere, rows = NamedSharding(mesh, P()), NamedSharding(mesh, P(NAME))

    def put(batch: Mapping[str, np.ndarray]) -> Any:
        return {k: jax.make_array_from_process_local_data(rows, v) for k, v in batch.items()}

    def step(function: Callable[..., Any]) -> Step:
        return jax.jit(
            functools.partial(function, axis=Axis()),
            donate_argnums=0,
            in_shardings=(everywhere, rows, everywhere),
            out_shardings=everywhere,
        )

    def predict(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
        return jax.jit(function, in_shardings=(everywhere, rows), out_shardings=everywhere)

    def place(state: Any) -> Any:
        # The jitted copy gives every leaf its own buffer: donation must not free the caller's.
        return jax.jit(lambda t: jax.tree.map(jax.numpy.copy, t), out_shardings=everywhere)(state)

    return Devices("jit", place, put, step, predict, lambda s: s, mesh.size, everywhere)


def _pmap(devices: Sequence[jax.Device] | None) -> Devices:
    chosen = jax.local_devices() if devices is None else list(devices)
    mesh, local = _mesh(devices), Mesh(np.array(chosen), (NAME,))
    everywhere, rows = NamedSharding(local, P()), NamedSharding(local, P(NAME))
    count = len(chosen)
    axis = Axis(NAME)

    def put(batch: Mapping[str, np.ndarray]) -> Any:
        shares = {k: v.reshape(count, len(v) // count, *v.shape[1:]) for k, v in batch.items()}
        return {k: jax.device_put(v, rows) for k, v in shares.items()}

    def step(function: Callable[..., Any]) -> Step:
        mapped = jax.pmap(
            functools.partial(function, axis=axis),
            axis_name=NAME,
            in_axes=(None, 0, None),
            out_axes=(None, None),
            donate_argnums=0,
            devices=devices,
        )
        return mapped

    def predict(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
        def gathered(variables: Any, batch: Any) -> Any:
            return axis.gather(function(variables, batch))

        return jax.pmap(gathered, axis_name=NAME, in_axes=(None, 0), out_axes=None, devices=devices)

    def place(state: Any) -> Any:
        # A donated, unmapped argument must already lie on all local devices: on several processes
        # pmap otherwise deletes the array it is about to read.
        return jax.device_put(jax.device_get(state), everywhere)

    def globalise(state: Any) -> Any:
        if jax.process_count() == 1:
            return state
        from orbax.checkpoint.utils import fully_replicated_host_local_array_to_global_array

        return jax.tree.map(fully_replicated_host_local_array_to_global_array, state)

    replicated = NamedSharding(mesh, P())
    return Devices("pmap", place, put, step, predict, globalise, mesh.size, replicated)


def prepare(deterministic: bool, compiled: os.PathLike[str] | str) -> None:
    """Settings that must stand before the first use of a device.

    Args:
      deterministic: reductions on GPUs in a fixed order: bit-equal runs, slower.
      compiled: folder that keeps compiled programs, so that repetitions of a stage and later runs
        need not compile again; JAX_COMPILATION_CACHE_DIR takes precedence.
    """
    if not getattr(jax.config, "jax_compilation_cache_dir", None):
        jax.config.update("jax_compilation_cache_dir", str(compiled))
    xla_flags.prefer_own_convolutions()
    if deterministic:
        xla_flags.add(xla_flags.DETERMINISTIC, "true")


def initialise_pod(asked: bool) -> bool:
    """Joins the other processes when asked to, or when a pod's or Slurm's environment is seen.

    Args:
      asked: True for `--distributed`. Address, process count and number come from JAX's cluster
        detection or from JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID.

    Returns:
      Whether several processes now work together.
    """
    tpu_hosts = os.environ.get("TPU_WORKER_HOSTNAMES", "").split(",")
    tasks = int(os.environ.get("SLURM_NTASKS", "1") or 1)
    # Of several tasks only those that srun started are there: a job's script itself runs once.
    stepped = {"SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_PROCID"} <= {*os.environ}
    seen = (
        len([h for h in tpu_hosts if h]) > 1
        or "MEGASCALE_COORDINATOR_ADDRESS" in os.environ
        or (stepped and tasks > 1)
    )
    if not (asked or seen):
        return False
    address = os.environ.get("JAX_COORDINATOR_ADDRESS")
    if address and "JAX_NUM_PROCESSES" in os.environ and "JAX_PROCESS_ID" in os.environ:
        jax.distributed.initialize(
            address, int(os.environ["JAX_NUM_PROCESSES"]), int(os.environ["JAX_PROCESS_ID"])
        )
    else:
        jax.distributed.initialize()
    return True


def meet(name: str) -> None:
    """All processes meet here: files written by the first are there for the others."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)
