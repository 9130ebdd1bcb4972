"""Conversion from the command line: whole files, clear refusals, nothing half-written."""

import hashlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from golden import seeded

from fiqa_jax import convert, models
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.pretrained.formats.rules import (
    FormatError,
    Rule,
    conv_kernel,
    linear_kernel,
    translate,
)


def torch_names(blocks=(2, 2, 2, 2), convolutions=2, width=16, classes=5):
    """Names and shapes of a ResNet as torchvision has them (its released code), any width."""

    def norm(name, size):
        kinds = ("weight", "bias", "running_mean", "running_var")
        return {f"{name}.{k}": (size,) for k in kinds} | {f"{name}.num_batches_tracked": ()}

    out = {"conv1.weight": (width, 3, 7, 7)} | norm("bn1", width)
    last = width
    for stage, count in enumerate(blocks):
        size = width * 2**stage
        grown = size * (4 if convolutions == 3 else 1)
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            kernels = (1, 3, 1) if convolutions == 3 else (3, 3)
            for i, kernel in enumerate(kernels):
                to = grown if i == convolutions - 1 else size
                source = last if i == 0 else size
                out[f"{name}.conv{i + 1}.weight"] = (to, source, kernel, kernel)
                out |= norm(f"{name}.bn{i + 1}", to)
            if block == 0 and (stage > 0 or grown != last):
                out[f"{name}.downsample.0.weight"] = (grown, last, 1, 1)
                out |= norm(f"{name}.downsample.1", grown)
            last = grown
    return out | {"fc.weight": (classes, last), "fc.bias": (classes,)}


@pytest.fixture
def source(tmp_path):
    np.savez(tmp_path / "net.npz", **seeded.state_dict(torch_names()))
    return tmp_path / "net.npz"


def run(*args):
    return convert.main(["--format", "torchvision_resnet", *map(str, args)])


@pytest.mark.parametrize(
    ("name", "blocks", "convolutions"),
    [
        ("resnet18", (2, 2, 2, 2), 2),
        ("resnet34", (3, 4, 6, 3), 2),
        ("resnet50", (3, 4, 6, 3), 3),
    ],
)
def test_depth_and_width_are_read_off(name, blocks, convolutions):
    state = seeded.state_dict(torch_names(blocks, convolutions))
    tensors, metadata = FORMATS["torchvision_resnet"].convert(state)
    assert metadata == {"model": name, "width": 0.25, "optional": "params/fc/.*"}
    model = models.make(name, width=0.25)
    image = np.zeros((1, 32, 32, 3), np.float32)
    template = jax.eval_shape(lambda: model.init(jax.random.key(0), image, train=False))
    loaded = pretrained.fit(template, tensors, "x", optional=metadata["optional"])
    # By hand: two kernels, a statistic and an affine, each where its name says.
    kernel = state["layer2.0.downsample.0.weight"]
    np.testing.assert_array_equal(
        loaded["params"]["stage2"]["block0"]["down_conv"]["kernel"][0, 0], kernel[:, :, 0, 0].T
    )
    norm = loaded["batch_stats"]["stage3"]["block1"]["norm2"]
    np.testing.assert_array_equal(norm["var"], state["layer3.1.bn2.running_var"])
    np.testing.assert_array_equal(norm["mean"], state["layer3.1.bn2.running_mean"])
    norm = loaded["params"]["stem"]["norm"]
    np.testing.assert_array_equal(norm["scale"], state["bn1.weight"])
    np.testing.assert_array_equal(tensors["params/fc/kernel"], state["fc.weight"].T)


def test_the_table_says_what_was_done(source, tmp_path, capsys):
    output = tmp_path / "new" / "net.safetensors"
    assert run("--input", source, "--output", output) == 0
    shown = capsys.readouterr().out
    names = torch_names()
    counted = {k: int(np.prod(s)) for k, s in names.items()}
    statistics = sum(n for k, n in counted.items() if "running" in k)
    tracked = sum("tracked" in k for k in names)
    parameters = sum(counted.values()) - statistics - tracked
    assert "resnet18, width 0.25" in shown
    assert f"{len(names)} read, {tracked} dropped" in shown
    assert f"{parameters:,}" in shown
    assert f"{statistics:,}" in shown
    assert f"{128 * 5 + 5:,} in a head" in shown
    assert hashlib.sha256(output.read_bytes()).hexdigest() in shown
    assert f"--config.model.name=resnet18 --config.model.weights={output}" in shown
    metadata = pretrained.read(output)[1]
    assert metadata["source"] == "net.npz"
    assert metadata["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_without_a_head(tmp_path, capsys):
    state = seeded.state_dict(torch_names())
    np.savez(tmp_path / "x.npz", **{k: v for k, v in state.items() if not k.startswith("fc")})
    assert run("--input", tmp_path / "x.npz", "--output", tmp_path / "x.safetensors") == 0
    assert "in a head" not in capsys.readouterr().out


def test_older_files_count_no_batches(tmp_path):
    state = seeded.state_dict(torch_names())
    np.savez(tmp_path / "x.npz", **{k: v for k, v in state.items() if "tracked" not in k})
    assert run("--input", tmp_path / "x.npz", "--output", tmp_path / "x.safetensors") == 0


def refused(capsys, tmp_path, *args):
    """The one line of an error; nothing may have been written."""
    before = set(tmp_path.iterdir())
    assert run(*args) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert set(tmp_path.iterdir()) == before
    assert captured.err.count("\n") == 1
    return captured.err


def changed(tmp_path, change):
    state = seeded.state_dict(torch_names())
    change(state)
    np.savez(tmp_path / "x.npz", **state)
    return "--input", tmp_path / "x.npz", "--output", tmp_path / "x.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer1.0.bn1.bias"), "1 missing, first: params/stage1/block0/norm1/bias"),
        (
            lambda s: s.update({"layer1.0.conv1.weight": np.ones((16, 8, 3, 3), np.float32)}),
            "1 misshapen, first: params/stage1/block0/conv1/kernel is (3, 3, 8, 16), the model's "
            "(3, 3, 16, 16)",
        ),
        (lambda s: s.update({"layer1.0.se.weight": np.ones(3)}), "1 tensors are not known, first"),
        (lambda s: s.pop("conv1.weight"), "no conv1.weight"),
        (lambda s: s.update({"conv1.weight": np.ones((16, 3))}), "conv1.weight of shape (16, 3)"),
        (
            lambda s: [s.pop(k) for k in list(s) if k.startswith("layer4.1")],
            "stages of (2, 2, 2, 1) blocks are none of resnet18, resnet34, resnet50",
        ),
        (lambda s: s["bn1.bias"].fill(np.nan), "params/stem/norm/bias holds NaN"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, capsys, change, message):
    assert message in refused(capsys, tmp_path, *changed(tmp_path, change))


def test_prefixes(tmp_path, capsys):
    def wrap(state):
        for name in list(state):
            state[f"module.net.{name}"] = state.pop(name)

    args = changed(tmp_path, wrap)
    assert "try --prefix module.net." in refused(capsys, tmp_path, *args)
    assert "no name begins with 'x.'" in refused(capsys, tmp_path, *args, "--prefix", "x.")
    assert run(*args, "--prefix", "module.net.") == 0


def test_paths(tmp_path, source, capsys):
    out = tmp_path / "x.safetensors"
    error = refused(capsys, tmp_path, "--input", tmp_path / "none.pth", "--output", out)
    assert "no file at" in error
    assert "end in .safetensors" in refused(
        capsys, tmp_path, "--input", source, "--output", tmp_path / "x.npz"
    )
    (tmp_path / "own.safetensors").write_bytes(b"")
    own = tmp_path / "own.safetensors"
    assert "is the input itself" in refused(capsys, tmp_path, "--input", own, "--output", own)
    with pytest.raises(ValueError, match=r"'vgg' is not known; known: .*torchvision_resnet"):
        convert.convert("vgg", source, out)


def test_missing_flags(capsys):
    with pytest.raises(SystemExit) as caught:
        convert.main(["--format", "torchvision_resnet"])
    assert caught.value.code == 2
    assert "--input, --output missing; --list names" in capsys.readouterr().err


def test_list_names_every_format(capsys):
    assert convert.main(["--list"]) == 0
    shown = capsys.readouterr().out
    for name, entry in FORMATS.items():
        assert name in shown
        assert entry.description.split()[0] in shown


def test_help_and_list_load_neither_jax_nor_torch():
    code = (
        "import sys; from fiqa_jax import convert; convert.main(['--list']);"
        "print([m for m in ('jax', 'flax', 'torch', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_rules():
    x = np.arange(24).reshape(2, 3, 4, 1)
    assert conv_kernel(x)[2, 0, 1, 1] == x[1, 1, 2, 0]
    assert linear_kernel(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [[1, 4], [2, 5], [3, 6]]
    out = translate(
        {"a.1": np.ones(2), "b": np.ones(1)}, [Rule(r"a\.(\d)", r"p/\1"), Rule("b", None)]
    )
    assert list(out) == ["p/1"]
    assert out["p/1"].dtype == np.float32
    with pytest.raises(FormatError, match="both become p"):
        translate({"a1": np.ones(2), "a2": np.ones(2)}, [Rule(r"a\d", "p")])
