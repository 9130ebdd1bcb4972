"""Joins the `grade` part of one grader and the `view` part of another into a model that ships.

    python benchmarks/join_graders.py --grade runs/eyeq/model --view runs/open/model \
        --name fundus --licence "..." --output fundus

Readers' grades never reach `view`, so that the map of both models is the same. Without --view the
model keeps the parts it has.
"""

import argparse
from pathlib import Path

from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import tensors


def joined(grade: Path, view: Path | None, name: str, licence: str, output: Path) -> None:
    config = model_dir.read_config(grade)
    weights, _ = tensors.read(grade / model_dir.WEIGHTS)
    if view is not None:
        other = model_dir.read_config(view)
        if other["data"]["side"] != config["data"]["side"]:
            raise SystemExit(f"{view} sees {other['data']['side']} px, {grade} another side")
        own = {k: v for k, v in weights.items() if k.split("/")[1] == "grade"}
        more, _ = tensors.read(view / model_dir.WEIGHTS)
        weights = own | {k: v for k, v in more.items() if k.split("/")[1] == "view"}
        config["settings"]["method"]["parts"] = ["grade", "view"]
    config["settings"]["method"]["trained"] = []
    config |= {"name": name} | ({"licence": licence} if licence else {})
    config["model"] |= {"weights": "", "init": ""}
    config["versions"].pop("platform", None)
    output.mkdir(parents=True, exist_ok=True)
    nested: dict = {}
    for key, value in weights.items():
        *path, last = key.split("/")
        at = nested
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    tensors.save(output / model_dir.WEIGHTS, nested, {"model": name, "method": config["method"]})
    model_dir.write_config(output, config)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--grade", type=Path, required=True)
    p.add_argument("--view", type=Path)
    p.add_argument("--name", required=True)
    p.add_argument("--licence", default="")
    p.add_argument("--output", type=Path, required=True)
    args = p.parse_args()
    joined(args.grade, args.view, args.name, args.licence, args.output)


if __name__ == "__main__":
    main()
