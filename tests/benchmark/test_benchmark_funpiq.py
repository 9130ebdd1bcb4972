"""The FunPiQ benchmark on drawn annotations: numbers, families in one table, refused files."""

import csv

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.maps import annotations
from input_pipeline import synthetic

COLOURS = [0, 0, 0, 106, 153, 78, 232, 168, 56, 193, 69, 69]  # FunPiQ's palette
MORE = [*COLOURS, 255, 255, 255]  # of four colours a PNG keeps two bits, which hold no fifth
NAMES = ("eyeq/10_left", "eyeq/10_right", "eyeq/11_left", "m/7.1", "m/8.1", "b/img00001", "x/other")


def save(codes, file):
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("P", codes.shape[::-1])
    picture.putpalette(MORE)
    picture.putdata(codes.ravel().tolist())
    picture.save(file)


@pytest.fixture
def folder(tmp_path):
    """Annotations of 40 x 30 pixels and maps: `sure` finds what is bad, `blind` knows how much."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(NAMES):
        codes = rng.choice([1, 2, 3], (30, 40), p=[0.6 - 0.07 * k, 0.2, 0.2 + 0.07 * k])
        codes[:4] = 0
        save(codes.astype(np.uint8), tmp_path / "annotations" / f"{name}.png")
        stem = name.split("/")[1]
        sure = rng.normal(codes == 3, 0.4).round(1)  # few levels: the numbers are exact
        (tmp_path / "sure").mkdir(exist_ok=True)
        (tmp_path / "blind").mkdir(exist_ok=True)
        np.save(tmp_path / "sure" / f"{stem}_0123abcd.npy", sure)
        level = np.full((5, 5), round(65535 * (codes == 3).mean()), np.uint16)
        Image.fromarray(level).save(tmp_path / "blind" / f"{stem}.png")
        Image.fromarray(level).save(tmp_path / "blind" / f"{stem}_overlay.png")
    return tmp_path


def run(folder, *more, maps=("sure",)):
    given = [x for name in maps for x in ("--maps", f"{name}={folder / name}")]
    rest = ["--annotations", str(folder / "annotations"), *more]
    return benchmark.main(["funpiq", *given, *rest])


def test_the_table(folder, capsys):
    out = folder / "out.csv"
    assert run(folder, "--output", str(out), maps=("sure", "blind")) == 0
    text = capsys.readouterr().out
    assert "7 photographs of 6 patients" in text  # 10_left and 10_right are one
    for scope in ("all", "EyeQ", "mBRSET", "BRSET", "x"):
        assert f"Pixels of {scope}, pooled" in text
    with out.open(newline="") as file:
        rows = {(r["map"], r["scope"], r["metric"]): r for r in csv.DictReader(file)}
    got = rows["sure", "all", "auroc"]
    value, bad = [], []
    for one in annotations.listed(folder / "annotations"):
        codes = np.asarray(Image.open(one.file))
        quality = np.load(folder / "sure" / f"{one.name}_0123abcd.npy")
        value.append(quality[codes > 0])
        bad.append(codes[codes > 0] == 3)
    want = roc_auc_score(np.concatenate(bad), np.concatenate(value))
    assert float(got["value"]) == pytest.approx(want, abs=1e-6)
    assert float(got["low"]) < want < float(got["high"])
    mean = np.mean([roc_auc_score(b, v) for b, v in zip(bad, value, strict=True)])
    assert float(rows["sure", "each", "auroc"]["value"]) == pytest.approx(mean, abs=1e-6)
    # a map without places ranks photographs, and finds nothing in any of them
    assert float(rows["blind", "each", "auroc"]["value"]) == pytest.approx(0.5)
    assert float(rows["blind", "all", "auroc"]["value"]) > 0.55
    same = rows["blind, image mean", "all", "auroc"]["value"]
    assert float(same) == pytest.approx(float(rows["blind", "all", "auroc"]["value"]), abs=1e-6)
    gap = rows["blind", "each, sure minus this", "auroc"]
    assert float(gap["value"]) == pytest.approx(mean - 0.5, abs=1e-6)
    assert float(gap["low"]) > 0.2
    assert int(gap["units"]) == 6


def refused(folder, capsys, *more):
    assert run(folder, *more) == 1
    return capsys.readouterr().err


def test_a_table_says_whose_photographs_they_are(folder, capsys):
    table = folder / "patients.csv"
    stems = [name.split("/")[1] for name in NAMES]
    table.write_text("name,patient\n" + "".join(f"{s},p{k // 4}\n" for k, s in enumerate(stems)))
    assert run(folder, "--patients", str(table)) == 0
    assert "7 photographs of 2 patients" in capsys.readouterr().out
    table.write_text(table.read_text().replace("other,", "another,"))
    assert run(folder, "--patients", str(table)) == 1
    assert "the table of patients has no 'other'" in capsys.readouterr().err
    table.write_text("id,patient\n")
    assert run(folder, "--patients", str(table)) == 1
    assert "columns name and patient expected, seen ['id', 'patient']" in capsys.readouterr().err


def test_a_flattened_palette_is_refused(folder, capsys):
    file = folder / "annotations" / "m" / "7.1.png"
    Image.open(file).convert("RGB").save(file)
    assert "7.1.png: a picture of mode RGB" in refused(folder, capsys)
    Image.open(folder / "annotations" / "m" / "8.1.png").convert("L").save(file)
    text = refused(folder, capsys)
    assert "7.1.png: a picture of mode L with values up to" in text
    assert "saved it in colour has lost them" in text


def test_another_class_is_refused(folder, capsys):
    save(np.full((30, 40), 4, np.uint8), folder / "annotations" / "b" / "img00001.png")
    assert "img00001.png: a picture of mode P with values up to 4" in refused(folder, capsys)


def test_missing_pairs_are_refused(folder, capsys):
    (folder / "sure" / "7.1_0123abcd.npy").unlink()
    assert "no map for 1 of 7 annotations, first: 7.1" in refused(folder, capsys)
    (folder / "sure" / "8.1_abcdabcd.npy").write_bytes(b"")
    (folder / "sure" / "7.1_0123abcd.npy").write_bytes(b"")
    assert "2 maps of one name, 8.1" in refused(folder, capsys)
    save(np.ones((3, 3), np.uint8), folder / "annotations" / "again" / "8.1.png")
    assert "two annotations of one name" in refused(folder, capsys)


@pytest.mark.parametrize(
    ("quality", "says"),
    [
        (np.zeros((30, 20)), "20 x 30 cells for an annotation of 40 x 30 pixels"),
        (np.zeros((30, 40, 3)), "a map is [h, w] of finite numbers"),
        (np.full((30, 40), np.nan), "a map is [h, w] of finite numbers"),
    ],
)
def test_maps_that_do_not_fit_are_refused(folder, capsys, quality, says):
    np.save(folder / "sure" / "other_0123abcd.npy", quality)
    text = refused(folder, capsys)
    assert says in text
    assert "other_0123abcd.npy" in text


def test_pictures_in_colours_are_no_maps(folder, capsys):
    (folder / "sure" / "other_0123abcd.npy").unlink()
    picture = folder / "sure" / "other.png"
    Image.new("RGB", (40, 30)).save(picture)
    assert "other.png: the map cannot be read: a picture of mode RGB" in refused(folder, capsys)
    Image.new("L", (40, 30)).save(picture)
    assert run(folder) == 0


def test_an_empty_annotation_and_empty_folders(folder, capsys, tmp_path):
    save(np.zeros((30, 40), np.uint8), folder / "annotations" / "b" / "img00001.png")
    assert "all of it is background" in refused(folder, capsys)
    (tmp_path / "none").mkdir()
    assert benchmark.main(["funpiq", "--maps", "x", "--annotations", str(tmp_path / "none")]) == 1
    assert "no .png in it" in capsys.readouterr().err
    argv = ["--maps", str(tmp_path / "none"), "--annotations", str(folder / "annotations")]
    assert benchmark.main(["funpiq", *argv]) == 1
    assert "no maps in it" in capsys.readouterr().err


def test_maps_over_the_square_about_the_field(tmp_path, capsys):
    """A map that is the annotation, cut as the photograph is, agrees fully; over the whole, not."""
    for k in range(2):
        eye = synthetic.draw(k, 160, "a")
        wide = ((10, 10), (60, 30))
        codes = np.pad(np.where(eye.fov > 0, 1, 0).astype(np.uint8), wide)
        codes[:, 60 + 80 : 60 + 160] *= 3
        save(codes, tmp_path / "annotations" / f"{k}.png")
        (tmp_path / "photographs").mkdir(exist_ok=True)
        picture = Image.fromarray(np.pad(eye.image, (*wide, (0, 0))))
        picture.save(tmp_path / "photographs" / f"{k}.png")
        (tmp_path / "sure").mkdir(exist_ok=True)
        quality = np.repeat([[0.0, 1.0]], 2, 0).repeat(32, 0).repeat(32, 1)
        np.save(tmp_path / "sure" / f"{k}.npy", quality)
    out = tmp_path / "out.csv"

    def auroc(*more):
        assert run(tmp_path, "--output", str(out), *more) == 0
        with out.open(newline="") as file:
            for row in csv.DictReader(file):
                if (row["scope"], row["metric"]) == ("all", "auroc"):
                    return float(row["value"])
        raise AssertionError("no row")

    squared = auroc("--photographs", str(tmp_path / "photographs"))
    assert squared > 0.98
    assert auroc() < 0.95
    (tmp_path / "photographs" / "1.png").unlink()
    assert "no photograph called 1" in refused(
        tmp_path, capsys, "--photographs", str(tmp_path / "photographs")
    )
