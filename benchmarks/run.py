"""Every step beside PyTorch's, input and predict, in one run: a table, a picture and JSON.

    pip install torch
    python -m benchmarks.run OUT [--photos FOLDER] [--steps 10] [--quick] [--only NAME ...]

Every case is a script of this folder, in a process of its own, where ours and PyTorch's (its faster
memory order, all cores, as it is and compiled) take turns, so that a busy machine slows both; the
ratio is to the faster of PyTorch's two. Forward passes stand beside onnxruntime, too. What does not
run on this machine is named with the reason. The most memory of each is taken in processes of their
own, above both libraries at rest. Beside each stands its bound: the operations of its products and
convolutions at the rate of a large float32 product, as measured in this run. `--photos` adds
reader, model and predict beside decoding the same files, and the shipped networks run by
onnxruntime.
OUT/speed.json holds every measured second.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import timing

HERE = Path(__file__).resolve().parent
# name -> script and flags; with --quick also the second flags
CASES: dict[str, tuple[list[str], list[str]]] = {
    "ResNet-18": (["train_step.py"], ["--batch", "8"]),
    "inpainting": (["inpaint_step.py"], ["--batch", "8"]),
    "adapter": (["adapter_step.py"], []),
    "EFIQA-CP": (["cnn_step.py"], ["--batch", "4"]),
    "vessels": (["vessels_step.py"], []),
    "ViT-S forward": (["encoder_forward.py", "--size", "vit_s", "--batch", "8"], ["--batch", "4"]),
    "ViT-L forward": (["encoder_forward.py", "--size", "vit_l"], []),
}
META = {"MKCNet, stage I": "stage I", "MKCNet, second order": "second order"}
META["MKCNet, first order"] = "first order"
SIDES = (128, 256)  # pixels, of MKCNet; --quick takes the first


def rates() -> dict[str, float]:
    """What this machine does: operations a second of a product, bytes a second of a copy."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    wide = np.ones(1 << 27, np.uint8)
    target = np.empty_like(wide)
    times = timing.interleaved({"copy": lambda: np.copyto(target, wide)}, 5, unmeasured=1)
    return {
        "matmul_flops_per_second": timing.product_rate(),
        "copied_bytes_per_second": wide.nbytes / min(times["copy"]),
    }


def called(script: list[str], *more: str) -> str:
    """What a script of this folder prints. Raises: CalledProcessError: it failed, with its text."""
    command = [sys.executable, str(HERE / script[0]), *script[1:], *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def step(name: str, steps: int, quick: bool, out: Path) -> dict[str, Any]:
    """A case of CASES, measured."""
    script, fewer = CASES[name]
    file = out / "step.json"
    called(
        script, *(fewer if quick else ()), "--steps", str(steps), "--memory", "--json", str(file)
    )
    found: dict[str, Any] = json.loads(file.read_text())
    file.unlink()
    return found


def meta(name: str, steps: int, side: int) -> dict[str, Any]:
    """MKCNet's step, ours and PyTorch's in turns of processes, as each holds its own memory."""
    flags = ["--batch", "4", "--side", str(side), "--steps", str(steps)]
    found = {
        way: json.loads(
            called(["meta_step.py"], *flags, "--only", way, META[name]).splitlines()[-1]
        )
        for way in ("jax", "torch")
    }
    return {
        "what": f"{name}, VGG-16, batch 4, {side} px, float32",
        "seconds": {way: one["seconds"] for way, one in found.items()},
        "mebibytes": {way: one["mebibytes"] for way, one in found.items()},
    }


def row(found: dict[str, Any], rate: float) -> list[str]:
    """A case as cells of the table."""
    bound = f"{found['flops'] / rate:.3f}" if "flops" in found else "-"
    return [*timing.cells(found), bound]


def table(rows: list[list[str]], header: list[str]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def picture(found: list[dict[str, Any]], file: Path) -> None:
    """Ratios with quartiles, as bars; PyTorch is 1."""
    from matplotlib.figure import Figure

    from fiqa_jax.report import figures

    ratios = [timing.ratios(one["seconds"]) for one in found]
    parts = np.array([np.quantile(values, (0.25, 0.5, 0.75)) for values in ratios])
    figure = Figure((9, 0.5 * len(found) + 1), dpi=figures.DPI, layout="constrained")
    ax = figure.subplots()
    places = np.arange(len(found))[::-1]
    off = np.abs(parts[:, ::2] - parts[:, 1:2]).T
    ax.barh(places, parts[:, 1], xerr=off, color=figures.COLOURS[0], ecolor="#222222", capsize=3)
    ax.axvline(1, color="#222222", linewidth=1)
    ax.set_yticks(places, [one["what"] for one in found])
    ax.set_xlabel("time of a step, PyTorch = 1; median and quartiles")
    figures.plain(ax)
    file.write_bytes(figures.png(figure))


def main() -> None:
    p = argparse.ArgumentParser("benchmarks.run", description=__doc__.split("\n", 1)[0])
    p.add_argument("out", type=Path, help="made if absent")
    p.add_argument("--photos", type=Path, help="photographs, for reader and predict")
    p.add_argument("--steps", type=int, default=10, help="measured steps of each (%(default)s)")
    p.add_argument("--quick", action="store_true", help="smaller batches, MKCNet at 128 px alone")
    p.add_argument("--only", nargs="+", choices=[*CASES, *META], help="these cases alone")
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    known, found = rates(), []
    for name in args.only or [*CASES, *META]:
        sides = SIDES[:1] if args.quick else SIDES
        if name in CASES:
            found.append(step(name, args.steps, args.quick, args.out))
        else:
            found += [meta(name, max(2, args.steps // 3), side) for side in sides]
        print(f"{time.strftime('%H:%M:%S')} {row(found[-1], known['matmul_flops_per_second'])}")
        said = {"machine": known, "steps": found}
        (args.out / "speed.json").write_text(json.dumps(said, indent=1) + "\n")
    header = [*timing.HEADER, "bound, s"]
    text = table([row(one, known["matmul_flops_per_second"]) for one in found], header)
    rate, copied = known["matmul_flops_per_second"], known["copied_bytes_per_second"]
    text += f"\n\n{rate / 1e9:.0f} GFLOP/s in a product, {copied / 1e9:.1f} GB/s copied\n"
    text += "".join(
        f"\n{one['what']}: {name} is left out: {reason}\n"
        for one in found
        for name, reason in one.get("skipped", {}).items()
    )
    if args.photos:
        flags = [str(args.photos), "--maps", "--photographs", "32", "--rounds", "2"]
        text += "\n" + called(["predict_rate.py"], *flags)
        flags = ["--models", "open", "efiqa", "fundus", "--photographs", str(args.photos)]
        text += "\n" + called(["exported.py"], *flags)
    (args.out / "speed.md").write_text(text)
    picture(found, args.out / "speed.png")
    print(text)


if __name__ == "__main__":
    main()
