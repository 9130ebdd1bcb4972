"""The predict command draws maps, with a stand-in for the network."""

import dark_model
import numpy as np
from dark_model import SIDE, Model, config, network, read, run
from PIL import Image

from fiqa_jax.inference import model_dir, predictor
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo

here = dark_model.here  # the fixture


def test_maps_are_drawn(here):
    root, _ = here
    assert run(root, "--maps") == 3
    rows = read(root)
    file = root / "out" / rows["b.png"]["map"]
    bare = np.asarray(Image.open(file))
    np.testing.assert_allclose(bare, np.full((SIDE, SIDE), 245 * 257), atol=1)  # 16 bits
    np.testing.assert_allclose(np.load(file.with_suffix(".npy")), 245 / 255, atol=1e-6)
    with Image.open(file.with_name(f"{file.stem}_overlay.jpg")) as drawn:
        assert drawn.mode == "RGB"
        assert drawn.height >= SIDE  # the photograph's own resolution
        assert drawn.width > drawn.height  # the bar of colours
    assert rows["broken.jpg"]["map"] == ""
    assert len(list((root / "out" / "maps").iterdir())) == 4 * 3
    regions = (root / "out" / "regions.csv").read_text().splitlines()
    assert regions[0] == "map,field,upper_left,upper_right,lower_left,lower_right,disc,macula"
    assert len(regions) == 1 + 3


def test_a_photograph_beside_its_map(here):
    root, _ = here
    assert run(root, "--pairs") == 3
    row = read(root)["b.png"]
    file = root / "out" / row["map"]
    with (
        Image.open(file.with_name(f"{file.stem}_overlay.jpg")) as drawn,
        Image.open(file.with_name(f"{file.stem}_pair.png")) as pair,
    ):
        left = np.asarray(pair)[:, : drawn.height]
        right = np.asarray(pair)[:, -drawn.width :]
        assert right.shape == np.asarray(drawn).shape
        off = np.abs(right.astype(int) - np.asarray(drawn))  # the drawn one alone is a JPEG
        assert np.percentile(off, 99) < 16
    photo = read_photo(root / "photos" / "b.png", left.shape[0])
    np.testing.assert_array_equal(left, photo.image)
    assert len(list((root / "out" / "maps").iterdir())) == 5 * 3


def test_an_overlay_is_as_large_as_it_was_asked_for(here, monkeypatch, capsys):
    root, _ = here
    monkeypatch.setattr(predictor, "read_photo", read_photo)
    Image.fromarray(synthetic.draw(0, 600, "a").image).save(root / "photos" / "b.png")
    assert run(root, "--maps", "--overlay-side", "300") == 3  # one of the files is broken
    file = root / "out" / read(root)["b.png"]["map"]
    with Image.open(file.with_name(f"{file.stem}_overlay.jpg")) as drawn:
        assert drawn.height == 300
    assert run(root, "--maps", "--overlay-side", "0") == 1
    assert "--overlay-side 0: expected 1 to 4096 pixels" in capsys.readouterr().err


def test_maps_of_a_model_without_any(here, monkeypatch, capsys):
    root, _ = here

    def flat(batch):
        return {k: v for k, v in network(batch).items() if k != "map"}

    monkeypatch.setattr(model_dir, "load", lambda path, **known: Model(config(), flat))
    assert run(root, "--maps") == 1
    assert "draws no maps; leave --maps out" in capsys.readouterr().err
    assert not (root / "out" / "predictions.csv").exists()
