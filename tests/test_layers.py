"""Folders are the layers: imports flow one way, TensorFlow stays at the edge, names are paths."""

import ast
import collections
import graphlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A folder imports only folders that stand above it.
LAYERS = {
    "fiqa_jax": (
        *("defaults", "command", "models", "training", "evaluation", "maps", "methods"),
        *(
            "pretrained",
            "exports",
            "predictions",
            "inference",
            "report",
            "serving",
            "recipe",
            "benchmark",
        ),
    ),
    "input_pipeline": (
        *(
            "plain_text",
            "atomic",
            "sums",
            "records",
            "lock",
            "exit_status",
            "memory",
            "progress",
            "chunks",
            "marked",
            "photo",
            "tables",
            "storage",
            "loading",
        ),
        *("synthetic", "readers", "sources", "builders", "prepare", "sample"),
    ),
}
COMMANDS = {
    "aggregate",
    "audit",
    "calibrate",
    "cli",
    "convert",
    "encoders",
    "enhancement",
    "evaluate",
    "explain",
    "export",
    "main",
    "merge",
    "predict",
    "serve",
    "verify",
}
TOP = {
    "fiqa_jax": {*COMMANDS, "command"},
    "input_pipeline": {
        *("plain_text", "atomic", "sums", "lock", "exit_status"),
        *("chunks", "marked", "memory", "prepare", "progress", "sample"),
    },
}
MOST_MODULES = 20  # of a folder
TENSORFLOW = {"input_pipeline/loading/tfdata.py", "fiqa_jax/training/tensorboard.py"}
# One thing on several layers has one name; these are its layers.
SHARED_NAMES = {"models", "methods", "formats", "readers", "builders", "benchmark"}


def modules(root: Path, package: str) -> dict[str, Path]:
    """Dotted name without the package -> file; a package is its `__init__`."""
    out = {}
    for path in sorted((root / package).rglob("*.py")):
        name = path.relative_to(root / package).with_suffix("").as_posix().replace("/", ".")
        out[name.removesuffix(".__init__") if name != "__init__" else ""] = path
    return out


def imported(path: Path) -> list[str]:
    """Absolute names a file imports, wherever in the file."""
    out = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            out += [f"{node.module}.{a.name}" for a in node.names]
    return out


def upward(root: Path, package: str) -> list[str]:
    """Imports of a folder that stands below the importing one."""
    order = LAYERS[package]

    def rank(name: str) -> int:
        first = name.split(".")[0]
        return order.index(first) if first in order else len(order)  # commands stand last

    wrong = []
    for name, path in modules(root, package).items():
        for other in imported(path):
            if other.startswith(package + "."):
                target = other.removeprefix(package + ".")
                if name and target != "__version__" and rank(target) > rank(name):
                    wrong.append(f"{package}.{name} imports {other}")
    return wrong


def circles(root: Path, package: str) -> None:
    """Raises CycleError where modules import each other at import time."""
    known = modules(root, package)
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        graph[name] = set()
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                found = [f"{node.module}.{a.name}" for a in node.names]
            elif isinstance(node, ast.Import):
                found = [a.name for a in node.names]
            else:
                continue
            for other in found:
                parts = other.split(".")
                if parts[0] != package:
                    continue
                while len(parts) > 1 and ".".join(parts[1:]) not in known:
                    parts.pop()
                if len(parts) > 1 and ".".join(parts[1:]) != name:
                    graph[name].add(".".join(parts[1:]))
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", LAYERS)
def test_imports_flow_one_way(package):
    assert upward(ROOT, package) == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_module_imports_in_a_circle(package):
    circles(ROOT, package)


def test_an_import_upwards_and_a_circle_are_found(tmp_path):
    models = tmp_path / "fiqa_jax" / "models"
    models.mkdir(parents=True)
    (models / "planted.py").write_text("from fiqa_jax.methods import other\n")
    assert upward(tmp_path, "fiqa_jax") == [
        "fiqa_jax.models.planted imports fiqa_jax.methods.other"
    ]
    (models / "a.py").write_text("from fiqa_jax.models import b\n")
    (models / "b.py").write_text("from fiqa_jax.models import a\n")
    with pytest.raises(graphlib.CycleError):
        circles(tmp_path, "fiqa_jax")


@pytest.mark.parametrize("package", LAYERS)
def test_the_top_level_holds_commands_and_layers_only(package):
    there = {name.split(".")[0] for name in modules(ROOT, package)} - {""}
    assert there == TOP[package] | {n for n in LAYERS[package] if n not in TOP[package]}


@pytest.mark.parametrize("package", LAYERS)
def test_folders_stay_small(package):
    count = collections.Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in modules(ROOT, package).values()
        if path.name != "__init__.py"
    )
    assert {k: n for k, n in count.items() if n > MOST_MODULES} == {}


def test_a_name_stands_for_one_thing():
    """Modules of one name are one thing seen on several layers (`methods/mkcnet`, `models/...`)."""
    places = collections.defaultdict(set)
    for package in LAYERS:
        for name, path in modules(ROOT, package).items():
            if path.name not in ("__init__.py", "__main__.py") and name not in COMMANDS:
                places[name.split(".")[-1]].add(path.parent.name)
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert {n: f for n, f in several.items() if not f <= SHARED_NAMES} == {}


def test_tools_never_import_the_loop_or_the_recipe():
    forbidden = tuple(
        f"fiqa_jax.{n}" for n in ("training.loop", "recipe.runner", "recipe.stages", "main")
    )
    for name, path in modules(ROOT, "fiqa_jax").items():
        first = name.split(".")[0]
        if first in {"inference", "benchmark"} | COMMANDS - {"main"}:
            hit = [i for i in imported(path) if i.startswith(forbidden)]
            assert not hit, f"{name} imports {hit}"


def test_pipeline_never_imports_jax():
    for name, path in modules(ROOT, "input_pipeline").items():
        roots = {i.split(".")[0] for i in imported(path)}
        assert not roots & {"jax", "flax", "optax", "fiqa_jax"}, name


def test_tensorflow_stays_at_the_edge():
    for package in LAYERS:
        for path in modules(ROOT, package).values():
            relative = path.relative_to(ROOT).as_posix()
            if relative in TENSORFLOW or "/builders/" in relative:
                continue
            roots = {i.split(".")[0] for i in imported(path)}
            assert "tensorflow" not in roots, relative
            if relative != "input_pipeline/sources/tfds_records.py":
                assert "tensorflow_datasets" not in roots, relative


def test_light_imports_stay_light():
    """Sources, order, reader and synthesis load neither TensorFlow nor JAX."""
    code = (
        "import sys, input_pipeline, input_pipeline.sources.opening, input_pipeline.loading.order, "
        "input_pipeline.photo, input_pipeline.synthetic, input_pipeline.loading.threads, "
        "input_pipeline.loading.batches\n"
        "print([m for m in ('tensorflow', 'jax', 'tensorflow_datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_input_pipeline_is_ours():
    import input_pipeline

    assert Path(input_pipeline.__file__).parent == ROOT / "input_pipeline"


def test_the_wheel_holds_every_package():
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = set(tomllib.load(file)["tool"]["setuptools"]["packages"])
    there = {
        p.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for package in LAYERS
        for p in (ROOT / package).rglob("__init__.py")
    }
    assert listed == there | {"fiqa_jax._configs"}
