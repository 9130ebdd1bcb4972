"""Joins the map of one grader and the grade of another into a model that ships.

    python benchmarks/join_graders.py --view runs/open/model --grade runs/eyeq/model \
        --name fundus --licence "..." --output fundus

Readers' grades never reach `view` and `summary`, so that map, causes and defects of both models are
the same. The grade sees the photographs of `view` made smaller to its own side; thresholds of the
decision and the temperature of the grade are its own. Without --grade the model keeps the parts it
has, under another name.
"""

import argparse
from pathlib import Path
from typing import Any

from flax import traverse_util

from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import tensors


def parts_of(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Tensors of a model's parts by their names."""
    weights, _ = tensors.read(folder / model_dir.WEIGHTS)
    return {key: value for key, value in weights.items() if key.split("/")[1] in names}


def joined(view: Path, grade: Path | None, name: str, licence: str, output: Path) -> None:
    """Writes the model directory `output`."""
    config = model_dir.read_config(view)
    weights = parts_of(view, ("view", "summary"))
    if grade is not None:
        other = model_dir.read_config(grade)
        shrink, rest = divmod(config["data"]["side"], other["data"]["side"])
        if rest:
            raise SystemExit(f"the side of {view} is no multiple of that of {grade}")
        weights |= parts_of(grade, ("grade",))
        config["settings"]["method"] |= {"parts": ["grade", "view", "summary"], "shrink": shrink}
        config["settings"]["method"]["turns"] = other["settings"]["method"]["turns"]
        for key in ("accept", "recapture"):
            config["thresholds"][key] = other["thresholds"][key]
        config["temperature"] |= other["temperature"]
        config["data"]["class_counts"] |= other["data"]["class_counts"]
    config["settings"]["method"]["trained"] = []
    config |= {"name": name} | ({"licence": licence} if licence else {})
    config["model"] |= {"weights": "", "init": ""}
    config["versions"].pop("platform", None)
    output.mkdir(parents=True, exist_ok=True)
    nested = traverse_util.unflatten_dict(weights, sep="/")
    tensors.save(output / model_dir.WEIGHTS, nested, {"model": name, "method": config["method"]})
    model_dir.write_config(output, config)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--view", type=Path, required=True)
    p.add_argument("--grade", type=Path)
    p.add_argument("--name", required=True)
    p.add_argument("--licence", default="")
    p.add_argument("--output", type=Path, required=True)
    args = p.parse_args()
    joined(args.view, args.grade, args.name, args.licence, args.output)


if __name__ == "__main__":
    main()
