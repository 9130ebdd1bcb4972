"""Simple statistics: hand-made photographs whose order is known."""

import numpy as np
import pytest
from PIL import Image
from scipy.stats import mannwhitneyu

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.benchmark import simple


def test_statistics_of_a_known_pattern():
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 1] = 100
    image[::2, :, 1] = 140  # rows 140, 100, 140 ...
    fov = np.ones((32, 32), np.uint8)
    got = simple.statistics(image, fov)
    assert got["mean"] == pytest.approx(120.0)
    assert got["rms_contrast"] == pytest.approx(20.0 / 120.0)
    # away from the border the Laplacian is -80 on bright rows and +80 on dark ones
    assert got["laplacian_variance"] == pytest.approx(80.0**2)


def test_rim_of_the_field_does_not_count():
    image = np.zeros((40, 40, 3), np.uint8)
    fov = np.zeros((40, 40), np.uint8)
    fov[10:30, 10:30] = 1
    image[10:30, 10:30] = 90
    assert simple.statistics(image, fov)["laplacian_variance"] == 0.0


def test_auroc_is_mann_whitneys():
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(size=60), 1)  # with ties
    bad = rng.integers(0, 2, 60)
    rows = simple.table({"x": values}, bad, np.arange(60), 0)
    u = mannwhitneyu(values[bad == 0], values[bad == 1]).statistic
    assert rows[0]["auroc"] == pytest.approx(u / (bad.sum() * (1 - bad).sum()), abs=1e-12)


def test_command_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:120, :120]
    disc = (yy - 59.5) ** 2 + (xx - 59.5) ** 2 < 52**2
    lines = ["path,quality"]
    for i in range(8):
        sharp = i % 2 == 0
        grain = rng.normal(0, 25 if sharp else 1, (120, 120))
        picture = np.clip(120 + grain, 0, 255)[..., None] * np.array([1.0, 0.6, 0.3])
        Image.fromarray((picture * disc[..., None]).astype(np.uint8)).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'good' if sharp else 'bad'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    out = tmp_path / "out.json"
    arguments = ["simple", "--csv", str(tmp_path / "t.csv"), "--side", "96", "--output", str(out)]
    assert benchmark.main(arguments) == 0
    assert "| laplacian_variance | 1.000 |" in capsys.readouterr().out
    assert out.is_file()


def test_unknown_name(capsys):
    assert benchmark.main(["nobody"]) == 2
    assert "simple" in capsys.readouterr().err
