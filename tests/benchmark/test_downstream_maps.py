"""The downstream benchmark by maps: their mean, bad area and what disc and macula show."""

import json

import downstream_tables
import numpy as np
import pytest
from downstream_tables import run

from fiqa_jax.maps import landmarks, map_files
from fiqa_jax.predictions import schema
from fiqa_jax.predictions import scores as score_files
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo

folder = downstream_tables.folder  # the fixture


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """Four maps: what `predict --maps` leaves."""
    out = tmp_path_factory.mktemp("predicted")
    eye = synthetic.draw(1001, 200, "a")
    photo = read_photo(np.pad(eye.image, ((4, 4), (4, 4), (0, 0))), 64)
    assert landmarks.find(photo.image, photo.fov) is not None
    made = []
    for k in range(4):
        quality = np.full((4, 4), 0.2 * k, np.float32)
        name = f"p{k}_0123abcd"
        map_files.write(out / "maps", name, photo, photo, quality, 0.5)
        row = {"id": f"x/p{k}.jpg", "status": "ok", "score": 0.2 * k, "bad_area": float(k > 2)}
        made.append(row | {"schema": 1, "map": f"maps/{name}.png"})
    shares = {"field": 0.25, "disc": 0.5, "macula": 0.1}
    for k, absent in enumerate(((), ("disc",), ("disc", "macula"))):
        known = shares | dict.fromkeys(absent)
        (out / "maps" / f"p{k}_0123abcd.json").write_text(json.dumps(known))
    made.append({"id": "x/p4.jpg", "status": "out_of_scope", "schema": 1})
    schema.write_csv(out / "predictions.csv", made, schema.columns())
    return out


def test_scores_of_maps(maps):
    photographs = ["p3", "p2", "p1", "p0", "p4"]
    for place in (maps, maps / "maps"):
        found = score_files.of_maps(place, photographs)
        np.testing.assert_allclose(found["mean"].value, [0.6, 0.4, 0.2, 0, np.inf])
        np.testing.assert_allclose(found["bad area"].value, [1, 0.25, 0.25, 0.25, np.inf])
        both = (0.5 + 1.44 * 0.1) / 2.44  # the macula's region is 1.2 discs wide
        want = [1, 0.25, 0.1, both, np.inf]
        np.testing.assert_allclose(found["bad disc and macula"].value, want)
        told = " ".join(found["bad disc and macula"].notes)
        assert "no disc found in 1 (the macula counts)" in told
        assert "neither in 1 (the field)" in told


def test_mean_of_the_map_of_a_model_that_grades(maps, tmp_path):
    """Its score is the grade; the mean is that of the map's cells."""
    for file in (maps / "maps").glob("p3*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    row = {"id": "p3", "status": "ok", "score": 0.1, "p_good": 0.9, "schema": 1}
    row |= {"map": "p3_0123abcd.png"}
    schema.write_csv(tmp_path / "predictions.csv", [row], schema.columns())
    found = score_files.of_maps(tmp_path, ["p3"])
    np.testing.assert_allclose(found["mean"].value, [0.6], rtol=1e-6)


def test_maps_on_the_command_line(folder, maps, capsys):
    text = (folder / "diagnosis.csv").read_text()
    for k, name in enumerate(("00_left", "00_right", "01_left", "01_right", "02_left")):
        text = text.replace(f"{name}.jpeg", f"p{k}.jpeg")
    (folder / "diagnosis.csv").write_text(text)
    assert run(folder, "--maps", f"M={maps}", "--allow-missing", scores=()) == 0
    told = capsys.readouterr().out
    assert "5 photographs of 3 patients" in told
    for kind in ("mean", "bad area", "bad disc and macula"):
        assert f"| M {kind} |" in told


def test_maps_that_were_not_drawn(folder, capsys):
    row = {"id": "00_left", "status": "ok", "score": 0.1, "schema": 1}
    schema.write_csv(folder / "predictions.csv", [row], schema.columns())
    assert run(folder, "--maps", f"M={folder}", scores=()) == 1
    assert "predictions.csv: no row names a map; run predict with --maps" in capsys.readouterr().err
