"""Every method's training step on one accelerator: time, share of its peak, memory, compilations.

    python benchmarks/accelerator.py OUT [--minutes 8]
    JAX_PLATFORMS=cpu python benchmarks/accelerator.py OUT --toy

Data are made in memory; neither TensorFlow nor a network is needed. Every method in float32 and in
bfloat16 (parameters, statistics and losses stay float32), then ResNet-18 at growing batches, and
where PyTorch is installed its ResNet-18 under `torch.compile` and autocast, channels_last. No new
case is begun once the minutes are over; OUT/accelerator.json is written after each.

Of each: seconds a step (median), operations by XLA's own count, their share of the rate of a large
product of the same precision measured here (`mfu`), the time its batch takes to the device as bytes
(`put_seconds`), compilations after the first step (0 is expected), peak memory of the process so
far.
"""

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import timing

from fiqa_jax import defaults, methods
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base
from fiqa_jax.training import state

PRECISIONS = ("float32", "bfloat16")
QUALITY = ("good", "usable", "reject")
DIAGNOSES = ("none", "mild", "severe")
SCALING = (1, 2, 4)  # times the batch of the first case
COMPILED = "/jax/core/compile/backend_compile_duration"
Rows = dict[str, np.ndarray]


def cases(toy: bool) -> dict[str, tuple[str, int, int, dict[str, Any], dict[str, Any]]]:
    """Name -> method, batch, side, settings of the method, settings of the model."""
    pixels, small = (32, {"width": 0.125}) if toy else (224, {})
    unet = {"levels": 2, "base": 2} if toy else {}
    vgg = {"name": "vgg16", "width": 0.0625 if toy else 1.0}
    side, batch = (32, 2) if toy else (256, 32)
    return {
        "ResNet-18, grades": ("multitask", 2 if toy else 128, pixels, {}, small),
        "ResNet-50, grades": ("multitask", batch, pixels, {}, {"name": "resnet50", **small}),
        "adapter": ("adapter", 2 if toy else 256, 16, {}, {}),
        "inpainting": ("inpaint", batch, side, unet or {"base": 64}, {}),
        "vessels": ("vessels", batch, side, unet or {"base": 32}, {}),
        "EFIQA-CP": ("nnpu", batch, side, {"width": 8 if toy else 128}, {}),
        "MKCNet, second order": ("mkcnet", 2 if toy else 16, side, {}, vgg),
    }


def rows_of(name: str, batch: int, side: int) -> Rows:
    """A batch of bytes and labels for a method."""
    rng = np.random.default_rng(0)
    out: Rows = {"index": np.arange(batch, dtype=np.int32)}
    if name == "adapter":
        out["features"] = rng.normal(size=(batch, 16, 16, 1024)).astype(np.float32)
        return out | {"bad": (rng.random((batch, 16, 16)) < 0.2).astype(np.uint8)}
    out["image"] = rng.integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    out["fov"] = np.ones((batch, side, side), np.uint8)
    if name in ("multitask", "mkcnet"):
        out["quality"] = rng.integers(0, len(QUALITY), batch).astype(np.int32)
    if name == "mkcnet":
        out["diagnosis"] = rng.integers(0, len(DIAGNOSES), batch).astype(np.int32)
    if name == "nnpu":
        out["bad"] = np.zeros((batch, side // 16, side // 16), np.uint8)
        out["bad"][:, 0] = 1
    if name == "vessels":
        out["vessels"] = (255 * (rng.random((batch, side, side, 3)) < 0.1)).astype(np.uint8)
        out["vessels_valid"] = np.ones((batch, 3), np.uint8)
    return out


def built(
    name: str,
    batch: int,
    side: int,
    settings: dict[str, Any],
    model: dict[str, Any],
    precision: str,
) -> base.Method:
    """A method of the package with its defaults, at this precision."""
    c = defaults.base()
    c.method.update({**defaults.METHODS[name], **settings})
    if name == "inpaint":
        c.method.side = side
    c.model.update({**model, "precision": precision})
    c.augment.train = ""
    diagnoses = DIAGNOSES if name == "mkcnet" else ()
    counts = {"quality": (1, 1, 1), "diagnosis": (1, 1, 1), "bad": (4, 1)}
    features = (16, 16, 1024) if name == "adapter" else ()
    data = base.DataSpec(
        side, 3, QUALITY, (), diagnoses, counts, (0.5,) * 3, (0.25,) * 3, features=features
    )
    return methods.build(name, c, data, base.Run(1000, batch, 8 * batch))


def measured(method: base.Method, rows: Rows, steps: int, peak: float) -> dict[str, Any]:
    """What a method's step takes; `peak` are operations a second of a product."""
    devices = parallel.make("jit", jax.devices()[:1])
    now = devices.place(jax.jit(method.init)(jax.random.key(0)))
    key, run = devices.place(state.stream(0, "train")), devices.step(method.step)
    given = devices.put(rows)
    lowered = jax.jit(functools.partial(method.step, axis=parallel.Axis())).lower(now, given, key)
    flops = float((lowered.cost_analysis() or {}).get("flops", float("nan")))
    put = [timing.seconds(lambda: jax.block_until_ready(devices.put(rows))) for _ in range(3)]
    begun = time.perf_counter()
    now, scalars = run(now, given, key)
    jax.block_until_ready(scalars)
    first, again = time.perf_counter() - begun, []
    listening = [True]

    def hear(event: str, seconds: float, **_: Any) -> None:
        if listening[0] and event == COMPILED:
            again.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(hear)
    times: list[float] = []
    for _ in range(steps):
        begun = time.perf_counter()
        now, scalars = run(now, given, key)
        jax.block_until_ready(scalars)
        times.append(time.perf_counter() - begun)
    listening[0] = False
    seconds = statistics.median(times)
    if not np.isfinite(float(scalars["loss"])):
        raise SystemExit(f"the loss is {float(scalars['loss'])}; expected a number")
    memory = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {
        **{"seconds": seconds, "all_seconds": times, "first_seconds": first, "flops": flops},
        **{"mfu": flops / seconds / peak, "put_seconds": min(put)},
        **{"compilations_after_first": len(again), "peak_bytes_so_far": memory},
    }


def peaks(toy: bool) -> dict[str, float]:
    """Operations a second of a large product, by precision."""
    n, out = 256 if toy else 8192, {}
    for precision in PRECISIONS:
        a = jnp.ones((n, n), precision)
        product = jax.jit(lambda a: a @ a)
        ways = {"product": lambda product=product, a=a: jax.block_until_ready(product(a))}
        out[precision] = 2 * n**3 / min(timing.interleaved(ways, 5, unmeasured=2)["product"])
    return out


def torch_resnet(batch: int, side: int, steps: int) -> Iterator[dict[str, Any]]:
    """PyTorch's ResNet-18 step, compiled, in float32 (TF32 allowed) and under bfloat16 autocast."""
    try:
        import torch
        import train_step
    except ImportError:
        return
    if not torch.cuda.is_available():
        return
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    x = torch.randn(batch, 3, side, side, device="cuda").to(memory_format=torch.channels_last)
    y = torch.randint(0, 3, (batch,), device="cuda")
    for precision in PRECISIONS:
        model = train_step.torch_network().cuda().to(memory_format=torch.channels_last).train()
        compiled = torch.compile(model)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

        def step(
            precision: str = precision,
            compiled: Callable[..., Any] = compiled,
            optimiser: Any = optimiser,
        ) -> None:
            optimiser.zero_grad()
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = torch.nn.functional.cross_entropy(compiled(x), y)
            loss.backward()
            optimiser.step()
            torch.cuda.synchronize()

        times = timing.interleaved({"torch": step}, steps, unmeasured=3)["torch"]
        middle = {"seconds": statistics.median(times), "all_seconds": times}
        yield {"case": "ResNet-18, PyTorch", "precision": precision, "batch": batch, **middle}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("out", type=Path, help="made if absent")
    p.add_argument(
        "--minutes", type=float, default=8.0, help="then nothing new begins (%(default)s)"
    )
    p.add_argument("--toy", action="store_true", help="tiny networks and pictures: a rehearsal")
    p.add_argument("--only", nargs="+", metavar="CASE", help="these cases alone, by name")
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    steps, until = 2 if args.toy else 20, time.monotonic() + 60 * args.minutes
    peak = peaks(args.toy)
    device = jax.devices()[0]
    said: dict[str, Any] = {"device": device.device_kind, "platform": device.platform}
    said |= {"jax": jax.__version__, "peak_flops": peak, "toy": args.toy, "steps": []}
    every = cases(args.toy)
    if unknown := set(args.only or ()) - set(every):
        p.error(f"--only {sorted(unknown)}; expected some of {list(every)}")
    every = {name: every[name] for name in every if name in (args.only or every)}
    first = next(iter(every))
    todo = [(name, 1, precision) for name in every for precision in PRECISIONS]
    todo += [(first, times, "bfloat16") for times in SCALING[1:]]

    def keep(found: dict[str, Any]) -> None:
        said["steps"].append(found)
        (args.out / "accelerator.json").write_text(json.dumps(said, indent=1) + "\n")
        share = f", {found['mfu']:.0%} of the peak" if "mfu" in found else ""
        print(
            f"{found['case']}, batch {found['batch']}, {found['precision']}: "
            f"{found['seconds'] * 1e3:.1f} ms{share}",
            flush=True,
        )

    for name, times, precision in todo:
        if time.monotonic() > until:
            print("the minutes are over", flush=True)
            break
        kind, batch, side, settings, model = every[name]
        rows = rows_of(kind, times * batch, side)
        method = built(kind, times * batch, side, settings, model, precision)
        about = {"case": name, "method": kind, "precision": precision}
        keep({**about, "batch": times * batch, **measured(method, rows, steps, peak[precision])})
    kind, batch, side, *_ = every[first]
    if time.monotonic() < until and kind == "multitask":
        for found in torch_resnet(batch, side, steps):
            keep(found)


if __name__ == "__main__":
    main()
