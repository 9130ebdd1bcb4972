"""A training step of MKCNet beside a plain PyTorch one: stage I, and both stages.

    pip install torch
    python benchmarks/meta_step.py [--batch 4] [--side 256] [--width 1] [--steps 5] [--rounds 2]

Every variant runs in a process of its own, round about, so that peak memory is its own: on CPUs the
largest resident set less that before the first array, on GPUs what the allocator saw. Both sides:
float32, the same networks, focal losses, SGD with weight decay, batch statistics, attention on the
whole map, the machine's threads. PyTorch's second order is `torch.autograd.grad(create_graph=True)`
through the virtual step, its first order two backward passes at theta +- eps v; its networks are
those that the parity tests hold ours against (tests/golden/mkcnet_reference.py).
Prints medians, ratios and rows of a Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import memory
import numpy as np
import timing

DIAGNOSES, GRADES, PSI, ENTROPY = 3, 3, 5, 0.2
RATE, META_RATE, DECAY, EPS = 0.01, 1e-3, 5e-4, 0.01
ROWS = {"stage I": "no_meta", "second order": "second_order", "first order": "first_order"}
VARIANTS = ("stage I", "second order", "second order, forward", "first order")


def arrays(batch: int, side: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8),
        "quality": rng.integers(0, GRADES, batch).astype(np.int32),
        "diagnosis": rng.integers(0, DIAGNOSES, batch).astype(np.int32),
        "index": np.arange(batch, dtype=np.int32),
    }


def ours(variant: str, args: argparse.Namespace) -> Callable[[], float]:
    """One step of the method, its loss fetched."""
    import jax

    from fiqa_jax import defaults
    from fiqa_jax.methods import mkcnet
    from fiqa_jax.training import devices as parallel
    from fiqa_jax.training import method as base
    from fiqa_jax.training import state

    row, _, way = variant.partition(", ")
    c = defaults.base()
    c.method.update({**defaults.METHODS["mkcnet"], "row": ROWS[row], "way": way or "nested"})
    c.method.update({"psi": PSI, "entropy": ENTROPY, "meta_lr": META_RATE, "eps": EPS})
    c.method.remat = args.remat
    c.model.update({"name": "vgg16", "width": args.width})
    c.optim.update({"name": "sgd", "lr": RATE, "momentum": 0.0, "clip": 0.0})
    c.optim.update({"schedule": "constant", "weight_decay": DECAY, "decay": ((".*", 1.0),)})
    c.augment.train = ""
    names = ("good", "usable", "reject"), ("none", "mild", "severe")
    counts = {"quality": (1, 1, 1), "diagnosis": (1, 1, 1)}
    data = base.DataSpec(args.side, 3, names[0], (), names[1], counts, (0.5,) * 3, (0.25,) * 3)
    method = mkcnet.build(c, data, base.Run(100, args.batch, 8))
    devices = parallel.make("jit", jax.devices()[:1])
    now = devices.place(jax.jit(method.init)(jax.random.key(0)))
    run, key = devices.step(method.step), devices.place(state.stream(0, "train"))
    batch = devices.put(arrays(args.batch, args.side))

    def step() -> float:
        nonlocal now
        now, scalars = run(now, batch, key)
        return float(scalars["loss"]) + float(scalars.get("meta_loss", 0.0))

    return step


def theirs(variant: str, args: argparse.Namespace) -> Callable[[], float]:
    """The same update in PyTorch."""
    import torch
    from torch.func import functional_call
    from torch.nn.functional import log_softmax, one_hot

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))
    from mkcnet_reference import MetaLearner, TaskNet

    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    channels = round(64 * args.width)
    task = TaskNet(channels, DIAGNOSES, GRADES, PSI, 3, False).train().to(where)
    learner = MetaLearner(channels, PSI * DIAGNOSES * GRADES).train().to(where)
    data = {k: torch.from_numpy(v).to(where) for k, v in arrays(args.batch, args.side).items()}
    x = ((data["image"].permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25).contiguous()
    diagnosis, quality = (data[k].long() for k in ("diagnosis", "quality"))
    joint = quality * DIAGNOSES + diagnosis
    theta, phi = dict(task.named_parameters()), dict(learner.named_parameters())

    def focal(z: "torch.Tensor", target: "torch.Tensor") -> "torch.Tensor":
        lp = log_softmax(z, 1)
        return -(target * torch.expm1(lp) ** 2 * lp).sum(1).mean()

    def losses(weights: dict, y: "torch.Tensor") -> tuple:
        one, two, three = functional_call(task, weights, (x,))
        own = focal(one, one_hot(diagnosis, DIAGNOSES)) + focal(three, one_hot(quality, GRADES))
        return own, focal(two, y) / PSI

    def descend(weights: dict, slopes: tuple, rate: float) -> dict:
        pairs = zip(weights.items(), slopes, strict=True)
        return {k: w - rate * (g + DECAY * w) for (k, w), g in pairs}

    def move(weights: dict, slopes: tuple, rate: float) -> None:
        with torch.no_grad():
            for w, new in zip(
                weights.values(), descend(weights, slopes, rate).values(), strict=True
            ):
                w.copy_(new)

    def entropy(y: "torch.Tensor") -> "torch.Tensor":
        mean = y.mean(0)
        return ENTROPY * (mean * (mean + 1e-20).log()).sum()

    def step() -> float:
        with torch.no_grad():
            y = learner(x, joint, PSI)
        value = sum(losses(theta, y))
        move(theta, torch.autograd.grad(value, list(theta.values())), RATE)
        if variant == "stage I":
            return value.item()
        y = learner(x, joint, PSI)
        if variant == "second order":
            inner = sum(losses(theta, y))
            slopes = torch.autograd.grad(inner, list(theta.values()), create_graph=True)
            outer = losses(descend(theta, slopes, RATE), y)[0]
            found = torch.autograd.grad(outer + entropy(y), list(phi.values()))
        else:
            inner = sum(losses(theta, y.detach()))
            slopes = torch.autograd.grad(inner, list(theta.values()))
            virtual = {
                k: v.detach().requires_grad_() for k, v in descend(theta, slopes, RATE).items()
            }
            outer = losses(virtual, y.detach())[0]
            v = torch.autograd.grad(outer, list(virtual.values()), materialize_grads=True)
            by = EPS / torch.sqrt(sum((g**2).sum() for g in v))
            pairs = list(zip(theta.items(), v, strict=True))
            found = list(torch.autograd.grad(entropy(y), list(phi.values()), retain_graph=True))
            for sign in (1, -1):
                near = {k: (w + sign * by * g).detach() for (k, w), g in pairs}
                there = torch.autograd.grad(
                    losses(near, y)[1], list(phi.values()), retain_graph=sign > 0
                )
                found = [f - RATE * sign * g / (2 * by) for f, g in zip(found, there, strict=True)]
        move(phi, tuple(found), META_RATE)
        return value.item() + outer.item()

    return step


def one(side: str, variant: str, args: argparse.Namespace) -> dict:
    """Seconds of every step but the first two, and the largest memory in MiB over them."""
    if side == "jax":
        import jax

        jax.block_until_ready(jax.numpy.zeros(1))
    else:
        import torch

        torch.zeros(1)
    memory.forget_peak()
    before = memory.peak()
    step = (ours if side == "jax" else theirs)(variant, args)
    values = [step() for _ in range(2)]  # compile, and fill caches
    memory.forget_peak()
    times = timing.interleaved({variant: lambda: values.append(step())}, args.steps)
    assert np.isfinite(values).all()
    peak = (memory.peak() - before) / 2**20
    if side == "jax":
        where = f"{jax.devices()[0].device_kind}, jax {jax.__version__}"
        stats = jax.devices()[0].memory_stats() or {}
        peak = stats.get("peak_bytes_in_use", peak * 2**20) / 2**20
    else:
        gpu = torch.cuda.is_available()
        where = f"{torch.cuda.get_device_name() if gpu else 'cpu'}, torch {torch.__version__}"
        peak = torch.cuda.max_memory_allocated() / 2**20 if gpu else peak
    return {"seconds": times[variant], "mebibytes": peak, "where": where}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4, help="images (4)")
    parser.add_argument("--side", type=int, default=256, help="pixels (256)")
    parser.add_argument("--width", type=float, default=1.0, help="factor on channels (1)")
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each round (5)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds over all variants (2)")
    parser.add_argument("--remat", action="store_true", help="ours: blocks computed again")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(one(*args.only, args)))
        return
    cases = [("jax", v) for v in VARIANTS] + [("torch", v) for v in VARIANTS if "," not in v]
    found: dict[tuple[str, str], list[dict]] = {case: [] for case in cases}
    for _ in range(args.rounds):
        for case in cases:
            command = [sys.executable, __file__, *sys.argv[1:], "--only", *case]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[case].append(json.loads(done.stdout.splitlines()[-1]))
    middle = {
        c: statistics.median(s for r in runs for s in r["seconds"]) for c, runs in found.items()
    }
    peak = {c: max(r["mebibytes"] for r in runs) for c, runs in found.items()}
    print(f"{found[cases[0]][0]['where']}; {found[cases[-1]][0]['where']}")
    print(f"batch {args.batch}, {args.side} px, width {args.width:g}, float32")
    print(
        "\n| step | ours, s | PyTorch, s | ratio | ours / own stage I | ours, MiB | PyTorch, MiB |"
    )
    print("|---|---|---|---|---|---|---|")
    for variant in VARIANTS:
        a, b = middle["jax", variant], middle["torch", variant.partition(",")[0]]
        memory = peak["jax", variant], peak["torch", variant.partition(",")[0]]
        print(
            f"| {variant if variant == 'stage I' else 'both stages, ' + variant} | {a:.3f} | "
            f"{b:.3f} | {a / b:.2f} | {a / middle['jax', 'stage I']:.2f} | {memory[0]:.0f} | "
            f"{memory[1]:.0f} |"
        )


if __name__ == "__main__":
    main()
