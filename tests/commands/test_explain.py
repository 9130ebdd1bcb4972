"""The explain command on photographs, with a model that is followed by hand (`quadrant`)."""

import csv
import json

import jax
import numpy as np
import pytest
from PIL import Image

from fiqa_jax import defaults, explain, methods
from fiqa_jax.inference import model_dir
from fiqa_jax.training import method
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo

SIDE = 64


def save(directory, uses="quadrant"):
    c = defaults.base()
    c.method.update(defaults.METHODS.get(uses, {}))
    c.data.side = SIDE
    spec = method.DataSpec(SIDE, 3, (), ("dark",), (), {}, c.data.mean, c.data.std)
    stage = defaults.resolved(c)
    if uses == "adapter":  # no weights are needed to see that it has no heads
        spec = method.DataSpec(SIDE, 3, (), (), (), {}, (0.5,) * 3, (0.3,) * 3, (4, 4, 5))
    started = methods.build(uses, c, spec, method.Run(), trust=(uses,)).init(jax.random.key(0))
    variables = {"params": started.params, **started.model_state}
    model_dir.save(directory, "m", uses, stage, spec, jax.device_get(variables), {})
    return directory


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A model, and photographs: dark in the upper left, as drawn, none, and no eye."""
    root = tmp_path_factory.mktemp("explain")
    save(root / "model")
    photos = root / "photos"
    photos.mkdir()
    drawn = synthetic.draw(1001, 120, "a").image
    dark = drawn.copy()
    dark[25:55, 25:55] //= 4
    for name, image in (("dark", dark), ("plain", drawn)):
        Image.fromarray(np.pad(image, ((4, 4), (4, 4), (0, 0)))).save(photos / f"{name}.png")
    (photos / "broken.jpg").write_bytes(b"not a photograph")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(90, 160, (80, 80, 3), dtype=np.uint8)).save(photos / "wall.png")
    return root


def run(root, *extra, out, head="dark", model="model"):
    argv = ["--model", str(root / model), "--head", head, "--output", str(root / out)]
    argv += ["--trust", "quadrant"]
    return explain.main([*argv, *extra, str(root / "photos")])


def table(root, out):
    with (root / out / "explanations.csv").open(encoding="utf-8", newline="") as file:
        return {row["path"].rsplit("/", 1)[-1]: row for row in csv.DictReader(file)}


def test_grad_cam_of_a_folder(here, capsys):
    assert run(here, "--batch", "3", out="cam") == 3
    rows = table(here, "cam")
    assert list(rows) == ["broken.jpg", "dark.png", "plain.png", "wall.png"]
    states = [row["status"] for row in rows.values()]
    assert states == ["error", "ok", "ok", "out_of_scope"]
    assert "broken.jpg" in rows["broken.jpg"]["error"]
    assert rows["broken.jpg"]["map"] == rows["wall.png"]["map"] == ""
    for name in ("dark", "plain"):
        photo = read_photo(here / "photos" / f"{name}.png", SIDE)  # as in training and predict
        darkness = 1 - photo.image.reshape(16, 4, 16, 4, 3).mean((1, 3, 4)) / 255
        darkness[8:] = darkness[:, 8:] = 0
        want = 4 * darkness / (1 + 4 * darkness)
        row = rows[f"{name}.png"]
        file = here / "cam" / row["map"]
        np.testing.assert_allclose(np.load(file.with_suffix(".npy")), want, rtol=1e-4, atol=1e-6)
        assert float(row["log_odds"]) == pytest.approx(4 * darkness.mean(), rel=1e-4)
        assert (row["head"], row["way"], row["gap"]) == ("dark", "grad_cam", "")
        with Image.open(file) as bare, Image.open(f"{file.parent / file.stem}_overlay.jpg") as over:
            assert bare.size == (SIDE, SIDE)
            assert over.height == pytest.approx(120, abs=6)  # the photograph's own resolution
        shares = json.loads(file.with_suffix(".json").read_text())
        assert shares["lower_right"] == 0
    assert float(rows["dark.png"]["log_odds"]) > float(rows["plain.png"]["log_odds"]) + 0.05
    assert len((here / "cam" / "regions.csv").read_text().splitlines()) == 1 + 2
    text = capsys.readouterr().out
    assert "4 photographs, grad_cam of dark" in text
    assert "ok 2" in text
    assert "not read" in text


def test_integrated_gradients_of_a_folder(here, capsys):
    extra = ("--way", "integrated_gradients", "--baseline", "black", "--steps", "1", "--cells", "8")
    assert run(here, *extra, "--allow-frame", out="ig") == 3
    rows = table(here, "ig")
    assert [row["status"] for row in rows.values()] == ["error", "ok", "ok", "ok"]
    quality = np.load((here / "ig" / rows["dark.png"]["map"]).with_suffix(".npy"))
    assert quality.shape == (8, 8)
    assert not quality.any()  # beside black nothing is darker
    assert abs(float(rows["dark.png"]["gap"])) < 1e-4
    assert "gap       0.000 at most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "head", "match"),
    [
        ((), "drak", "model m has no head 'drak': ['dark']"),
        (("--stage", "stage4"), "dark", "stage 'stage4' is none of ['stage1']"),
        (("--way", "integrated_gradients", "--cells", "5"), "dark", "divisor of the side, 64"),
        (("--batch", "0"), "dark", "expected 1 or more"),
        (("nothing.png",), "dark", "nothing.png: there is no such file"),
    ],
)
def test_what_cannot_start_says_why_and_writes_nothing(here, capsys, extra, head, match):
    assert run(here, *extra, out="never", head=head) == 1
    error = capsys.readouterr().err
    assert match in error
    assert error.count("\n") == 1
    assert not (here / "never").exists()


def test_a_model_without_heads(here, capsys):
    save(here / "adapter", "adapter")
    assert run(here, out="never", model="adapter") == 1
    assert "no heads to explain: method 'adapter'" in capsys.readouterr().err
    assert not (here / "never").exists()


def test_an_earlier_run_is_kept(here, capsys):
    (here / "old").mkdir()
    (here / "old" / "explanations.csv").write_text("kept")
    assert run(here, out="old") == 1
    assert "is there: give another --output" in capsys.readouterr().err
    assert (here / "old" / "explanations.csv").read_text() == "kept"
