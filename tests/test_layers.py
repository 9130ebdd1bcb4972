"""Imports flow one way, TensorFlow stays at the edge, and nobody's package is shadowed."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Left to right: a module imports only modules that stand to its left.
ORDER = """
method_settings defaults command shipped recipe_line
xla_flags
parallel
augment density spec losses pu meta optim state masks
anomaly
models.initial models.norm models.pool models.depthwise models.resnet models.heads models.unet
models.wnet models.mobilenet models.position models.vit models.rrwnet models.vgg models.cbam models
models.mkcnet models.mae models.efiqa_cp models.eyequal
torchpickle torchfile pretrained formats.rules formats.fits formats.torchvision_resnet formats.lwnet
formats.mobilenet formats.vit formats.vuad formats.rrwnet formats.mkcnet
formats.efiqa_cp formats
methods.base methods.adapter methods.cell_grades methods.inpaint methods.multitask methods.nnpu
methods.pretrain methods.vessels methods.patchcore methods.eyequal
methods.mkcnet_parts methods.mkcnet methods
advice calibration overlay landmarks map_files paired reliability
attribution
metrics bootstrap stats localise agreement annotations
rejection
selective
pooling
predictions
checkpoints tensorboard record infer findings audit data
hub encoder_cells encoders features
model_dir
explainer
segmentors
train
judge labelled join thresholds assess
diagnosed score_files
outcomes
inputs predictor
photographs
reading calibrate
plan earlier stored select runs compare card
figures page examples report_stage report_compare report_audit report_maps map_fits map_scores
rejection_figure
report
coreset
sweep embedding
stages
recipe
main predict explain audit_command evaluate convert
benchmark benchmark.map_kinds benchmark.map_folder
benchmark.simple benchmark.vessels benchmark.details benchmark.efiqa
benchmark.funpiq benchmark.downstream
benchmark.__main__
"""
RANK = {name: i for i, row in enumerate(ORDER.strip().splitlines()) for name in row.split()}
TENSORFLOW = {
    "input_pipeline/pipeline.py",
    "fiqa_jax/tensorboard.py",
}


def modules(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        name = path.relative_to(ROOT / package).with_suffix("").as_posix().replace("/", ".")
        yield name.removesuffix(".__init__"), path


def imported(path):
    """Absolute names a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{a.name}" for a in node.names)


def inner(name):
    """`fiqa_jax.models.resnet.ResNet` -> the longest known module behind `fiqa_jax.`."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in RANK:
        parts.pop()
    return ".".join(parts)


def test_imports_flow_one_way():
    wrong = []
    for name, path in modules("fiqa_jax"):
        for other in imported(path):
            if other.startswith("fiqa_jax."):
                target = inner(other)
                if target and target != name and RANK[target] > RANK.get(name, -1):
                    wrong.append(f"{name} imports {target}")
    assert not wrong


def test_tools_never_import_the_loop_or_the_recipe():
    tools = {"predict", "predictor", "evaluate", "convert", "calibrate", "report", "examples"}
    forbidden = {
        "fiqa_jax.training.loop",
        "fiqa_jax.recipe",
        "fiqa_jax.recipe.stages",
        "fiqa_jax.main",
    }
    for name, path in modules("fiqa_jax"):
        if name in tools or name.startswith("benchmark"):
            hit = [
                i for i in imported(path) if any(i == f or i.startswith(f + ".") for f in forbidden)
            ]
            assert not hit, f"{name} imports {hit}"


def test_pipeline_never_imports_jax():
    for name, path in modules("input_pipeline"):
        roots = {i.split(".")[0] for i in imported(path)}
        assert not roots & {"jax", "flax", "optax", "fiqa_jax"}, name


def test_tensorflow_stays_at_the_edge():
    for package in ("fiqa_jax", "input_pipeline"):
        for _, path in modules(package):
            relative = path.relative_to(ROOT).as_posix()
            if relative in TENSORFLOW or "/builders/" in relative:
                continue
            roots = {i.split(".")[0] for i in imported(path)}
            assert not roots & {"tensorflow", "tensorflow_datasets"}, relative


def test_light_imports_stay_light():
    """Sources, order, photo and drawing load neither TensorFlow nor JAX."""
    code = (
        "import sys, input_pipeline, input_pipeline.sources, input_pipeline.loading.order, "
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
        for package in ("fiqa_jax", "input_pipeline")
        for p in (ROOT / package).rglob("__init__.py")
    }
    assert listed == there | {"fiqa_jax._configs"}


def test_the_order_names_every_module_and_no_other():
    there = {name for name, _ in modules("fiqa_jax")} - {"__init__"}
    assert there == set(RANK)
