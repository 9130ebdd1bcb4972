"""The calibrate command with annotated photographs: from where on a place is bad."""

import json

import numpy as np
import pytest
from PIL import Image

from fiqa_jax import calibrate
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo

PALETTE = [0, 0, 0, 0, 255, 0, 255, 255, 0, 255, 0, 0]  # of codes 0 to 3


def brushed(root, names, seed=0):
    """A judged folder with maps, and annotations whose bad places are those above .3 of the map."""
    rng = np.random.default_rng(seed)
    for folder in ("photos", "maps", "brushed"):
        (root / folder).mkdir()
    for name in names:
        picture = synthetic.draw(len(name), 256, "a").image
        Image.fromarray(picture).save(root / "photos" / f"{name}.png")
        quality = np.kron(rng.random((4, 4)), np.ones((128, 128))).astype(np.float32)
        np.save(root / "maps" / f"{name}.npy", quality)
        photo = read_photo(root / "photos" / f"{name}.png", 512)
        left, top, right, bottom = photo.box
        y, x = np.mgrid[:256, :256] + 0.5
        row, column = ((y - top) / (bottom - top) * 512), ((x - left) / (right - left) * 512)
        inside = (row > 0) & (row < 512) & (column > 0) & (column < 512)
        value = quality[row.clip(0, 511).astype(int), column.clip(0, 511).astype(int)]
        codes = np.where(inside & (x < 200), np.where(value > 0.3, 3, 1), 0).astype(np.uint8)
        drawn = Image.fromarray(codes, "P")
        drawn.putpalette(PALETTE)
        drawn.save(root / "brushed" / f"{name}.png")
    rows = judge.rows_from_outputs(
        {"score": np.linspace(0, 1, len(names))},
        path=[f"photos/{name}.png" for name in names],
        id=names,
        thresholds=Thresholds(),
        model="m@12345678",
    )
    schema.write_csv(root / "predictions.csv", rows, schema.columns())
    (root / "run.json").write_text(json.dumps({"began_in": str(root)}))


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_brushed_photographs_say_from_where_on_a_place_is_bad(tmp_path, capsys):
    brushed(tmp_path, ["a_1", "bb_2", "ccc_3"])
    argv = [str(tmp_path), "--annotations", str(tmp_path / "brushed")]
    assert calibrate.main(argv) == 0
    text = capsys.readouterr().out
    assert "fitted to 3 brushed photographs of 3 patients" in text
    told = json.loads((tmp_path / "calibration.json").read_text())
    assert told["thresholds"] == {"map": pytest.approx(0.3, abs=0.06)}  # 48 values lie in [0, 1]
    assert told["map"]["dice"]["value"] > 0.9
    assert not (tmp_path / "calibration.png").exists()  # of a score's limits
    for name in ("a_1", "bb_2"):
        (tmp_path / "brushed" / f"{name}.png").unlink()
    flat = Image.fromarray(np.full((256, 256), 3, np.uint8), "P")
    flat.putpalette(PALETTE)
    flat.save(tmp_path / "brushed" / "ccc_3.png")
    assert calibrate.main(argv) == 1
    assert "and 0 are not (1 good, 2 usable)" in capsys.readouterr().err
