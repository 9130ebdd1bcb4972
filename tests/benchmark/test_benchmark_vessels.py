"""Vessel maps against annotations: what is read, what is compared, and with which filter."""

import csv

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.benchmark import segmentation

SIDE = 48
TRUTH = np.zeros((SIDE, SIDE), np.uint8)
TRUTH[20:26, 8:40] = 255


@pytest.fixture
def table(tmp_path):
    """Three photographs of two people: a dark bar on a bright disc, and its annotation."""
    disc = np.hypot(*np.mgrid[-23.5:24, -23.5:24]) < 23
    photograph = np.where(disc, np.where(TRUTH > 0, 90, 150), 0).astype(np.uint8)
    rows = []
    for name, who in (("a", "1"), ("b", "1"), ("c", "2")):
        Image.fromarray(np.stack([photograph] * 3, -1)).save(tmp_path / f"{name}.png")
        Image.fromarray(TRUTH).save(tmp_path / f"{name}_v.png")
        rows.append({"image": f"{name}.png", "vessels": f"{name}_v.png", "participant": who})
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "labels.csv"


def constant(image, fov):
    return np.zeros(fov.shape)


def dark(image, fov):
    return -image[..., 1].astype(float)


def bright(image, fov):
    return image[..., 1].astype(float)


def test_a_model_beside_the_best_of_each_filter(table, monkeypatch, capsys, tmp_path):
    ridges = {"frangi a": constant, "frangi b": bright, "sato a": dark, "sato b": constant}
    monkeypatch.setattr(segmentation, "ridge_filters", lambda: ridges)
    monkeypatch.setattr(segmentation, "vessel_channel", lambda name: dark)
    output = tmp_path / "numbers.csv"
    command = ["--csv", str(table), "--side", str(SIDE), "--model", "M", "--output", str(output)]
    assert benchmark.main(["vessels", *command]) == 0
    out = capsys.readouterr().out
    assert "3 photographs of 2 participants" in out
    lines = {line.split(" | ")[0].strip("| "): line for line in out.splitlines() if "|" in line}
    assert "1.0000 [1.0000, 1.0000]" in lines["model M"]
    # a half where nothing is told apart; of each filter the better setting, for each metric
    assert "0.5000 [0.5000, 0.5000]" in lines["model M less the best frangi"]
    assert lines["model M less the best sato"].count("0.0000 [0.0000, 0.0000]") == 2
    assert "frangi b" not in lines
    assert "sato b" not in lines
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 5
    share = (TRUTH > 0).sum() / segmentation.field_of(
        np.asarray(Image.open(table.parent / "a.png"))
    ).sum()
    flat = [float(row["ap"]) for row in rows if row["method"] == "frangi a"]
    assert flat == pytest.approx([share] * 3)  # of a constant: the share of positives


def test_what_is_missing_is_named(table, capsys):
    assert (
        benchmark.main(["vessels", "--csv", str(table), "--vessels", "mask", "--no-filters"]) == 1
    )
    assert "no column 'mask'" in capsys.readouterr().err
