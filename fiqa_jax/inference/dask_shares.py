"""Shares of a run on the workers of a Dask cluster: a dead worker's share goes to another one.

Every task is one share, judged by the code of `--shard I/N` into its folder, which the kernel's
lock keeps to one process; so a share that is begun again goes on where it stopped. Dask is imported
here alone, and only where a run is sent to it.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiqa_jax
from fiqa_jax.inference import inputs
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.run_shards import Shard
from input_pipeline import progress

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local"  # address of workers on this machine that are started for the run
NEEDED = "--scheduler needs Dask: pip install 'fiqa-jax[cluster]'"
CORES = 2  # of this machine for each process with LOCAL: one decodes while the other runs the model
ANSWER = 10  # seconds in which a scheduler has to answer
ENDING = 20  # seconds in which shares end behind the batch they are at, when the run is stopped
ASKED = 1.0  # seconds between two questions of a worker whether the run was stopped
# Processes of LOCAL leave Ctrl+C, which reaches all of a terminal, and errors to the command.
PRELOAD = """
import logging, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
logging.getLogger("distributed.worker").setLevel(logging.CRITICAL)
"""


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker is sent.

    Attributes:
      arguments: of the command; every path absolute.
      shard: the share to be judged.
      run: name of the run, under which its processes speak to each other.
      version: of the package that sends it.
    """

    arguments: Mapping[str, Any]
    shard: Shard
    run: str
    version: str


class Stop(Exception):
    """On a worker: the run was stopped."""


@contextlib.contextmanager
def connected(address: str, processes: int) -> Iterator["Client"]:
    """A client of the scheduler at an address, or of processes of its own.

    Args:
      address: 'tcp://host:8786', 'tls://...', or 'local'.
      processes: with 'local', how many, each of which judges one share at a time; 0: one for every
        two cores.

    Raises:
      RunError: the extra is not installed, or nothing answers there.
    """
    try:
        import dask.system
        import distributed
        from distributed.security import Security
    except ImportError:
        raise RunError(NEEDED) from None
    if address == LOCAL:
        cluster = distributed.LocalCluster(
            n_workers=processes or max(1, dask.system.CPU_COUNT // CORES),
            threads_per_worker=1,
            processes=True,  # spawned, not forked
            memory_limit=0,  # as without Dask; a share is no data that could be moved to the disk
            host="127.0.0.1",
            protocol="tls",  # nobody else on this machine may send work
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",  # any free port: runs beside each other
            preload=[PRELOAD],
        )
        with cluster, distributed.Client(cluster) as client, _quiet_end("distributed.nanny"):
            yield client
        return
    try:
        client = distributed.Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"--scheduler {address}: no Dask scheduler answered within {ANSWER} s "
            f"({' '.join(str(error).split())[:200]}); start one by `dask scheduler`, and give the "
            "address that it prints, as tcp://HOST:8786"
        ) from None
    with client:
        yield client


@contextlib.contextmanager
def _quiet_end(name: str) -> Iterator[None]:
    """Behind the work a logger's warnings, such as of a process that has to be ended, go unsaid."""
    try:
        yield
    finally:
        logging.getLogger(name).setLevel(logging.ERROR)


def threads(client: "Client") -> int:
    """How many shares are judged at a time; waits until there is a worker."""
    if not client.nthreads():
        print("no workers yet; waiting for the first one", flush=True)
        client.wait_for_workers(1)
    return sum(client.nthreads().values())


def check(client: "Client", out: Path, paths: Sequence[str]) -> None:
    """Looks whether all workers that are there can do the work.

    Args:
      client: of `connected`.
      out: folder of the run, made if absent.
      paths: absolute, of files and folders that workers need.

    Raises:
      RunError: another version of the package, or none; folders that a worker does not see.
    """
    out.mkdir(parents=True, exist_ok=True)
    mark = out / f".seen-{secrets.token_hex(8)}"
    mark.touch()
    try:
        # Sent by value: a worker without the package can run it.
        version, missing = _version(), _missing([*paths, str(mark)])
        seen: dict[str, tuple[Any, Any]] = {}
        seen["the scheduler"] = client.run_on_scheduler(version), []
        versions = client.run(version, on_error="return")
        absent = client.run(missing, on_error="return")
    finally:
        mark.unlink(missing_ok=True)
    seen |= {f"worker {name}": (versions[name], absent.get(name, [])) for name in versions}
    for name, (found, lacking) in seen.items():
        if found != fiqa_jax.__version__:
            raise RunError(
                f"{name} has fiqa_jax {found or 'not installed'}, this is "
                f"{fiqa_jax.__version__}: install the same version there"
            )
        if isinstance(lacking, Exception):
            raise RunError(f"{name} cannot look for the folders: {lacking}")
        if lacking:
            where = out if lacking == [str(mark)] else lacking[0]
            raise RunError(
                f"{name} does not see {where} of this machine: photographs, model and --output "
                "have to be on storage that all workers see under the same path"
            )


def _version() -> Callable[[], str]:
    def version() -> str:
        try:
            import fiqa_jax
        except ImportError:
            return ""
        return str(fiqa_jax.__version__)

    return version


def _missing(paths: Sequence[str]) -> Callable[[], list[str]]:
    def missing() -> list[str]:
        import os

        return [path for path in paths if not os.access(path, os.R_OK)]

    return missing


def judged(client: "Client", work: Callable[[Task], str], tasks: Sequence[Task], total: int) -> str:
    """Sends shares to workers, shows how many photographs are judged, waits for all.

    Args:
      client: of `connected`.
      work: judges a share; called on a worker.
      tasks: of one run, which have its name in common.
      total: photographs in all.

    Returns:
      What the first share says.

    Raises:
      RunError: of a share, a share whose workers died again and again, a scheduler that is gone.
        The others are stopped then behind their batch, and on an interrupt, too.
    """
    import distributed

    run = tasks[0].run
    told: dict[int, int] = {}
    with progress.bar(total, "photo") as bar:

        def hear(event: tuple[float, Mapping[str, int]]) -> None:
            _, message = event
            share, count = message["share"], message["judged"]
            bar.update(count - told.get(share, 0))
            told[share] = count

        client.subscribe_topic(run, hear)
        keys = [f"{run}-{task.shard.place}" for task in tasks]
        futures = client.map(work, tasks, key=keys, pure=False)
        try:
            for future in distributed.as_completed(futures):
                future.result()
        except distributed.KilledWorker as error:
            _stop(client, run, futures)
            share = tasks[keys.index(str(error.task))].shard.name
            raise RunError(
                f"share {share}: {error.allowed_failures + 1} workers died while they judged it; "
                "see their logs, most often memory (--batch, --workers). Start again: it goes on"
            ) from None
        except concurrent.futures.CancelledError as error:
            raise RunError(
                f"the scheduler is gone or has dropped the run ({error}). Start again: it goes on"
            ) from None
        except BaseException:
            _stop(client, run, futures)
            raise
        finally:
            client.unsubscribe_topic(run)
        bar.update(total - sum(told.values()))
        return str(futures[0].result())


def _stop(client: "Client", run: str, futures: Sequence[Any]) -> None:
    """Tells the workers to stop, and waits until they have, but not for long."""
    import distributed

    try:
        distributed.Event(run, client).set()
        distributed.wait(list(futures), timeout=ENDING)
    except Exception:  # the scheduler may be what is gone
        pass
    finally:
        with contextlib.suppress(Exception):
            client.cancel(list(futures))


class Told:
    """On a worker: says how many photographs of a share are judged, and hears of the run's end.

    Raises:
      RunError: this worker has another version of the package.
    """

    def __init__(self, task: Task) -> None:
        import distributed

        self._task, self._asked = task, -ASKED
        self._worker = distributed.get_worker()
        self._stop = distributed.Event(task.run)
        if task.version != fiqa_jax.__version__:
            raise RunError(
                f"worker {self._worker.address} has fiqa_jax {fiqa_jax.__version__}, the run is of "
                f"{task.version}: install the same version there"
            )

    def __call__(self, count: int) -> None:
        """Says that `count` photographs are judged. Raises: Stop: the run was stopped."""
        message = {"share": self._task.shard.place, "judged": count}
        self._worker.log_event(self._task.run, message)
        if time.monotonic() - self._asked >= ASKED:
            self._asked = time.monotonic()
            if self._stop.is_set():
                raise Stop


def absolute(args: argparse.Namespace, out: Path) -> tuple[dict[str, Any], list[str]]:
    """The arguments of a share for other machines, and the paths that they have to see."""
    given = {**vars(args), "output": str(out), "scheduler": "", "parquet": False}
    given["inputs"] = [str(inputs.expanded(one).absolute()) for one in args.inputs]
    for name in ("model", "encoder", "calibration"):
        if given[name] and Path(given[name]).exists():
            given[name] = str(Path(given[name]).absolute())
    named = (given[name] for name in ("model", "encoder", "calibration"))
    return given, [*given["inputs"], *(path for path in named if os.path.isabs(path))]


def tasks(arguments: Mapping[str, Any], shards: Sequence[Shard]) -> list[Task]:
    """The tasks of a new run, one for each share; `arguments` of the command, paths absolute."""
    run = f"fiqa-{os.getpid()}-{secrets.token_hex(4)}"
    return [Task(arguments, shard, run, fiqa_jax.__version__) for shard in shards]
