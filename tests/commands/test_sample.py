"""`fiqa sample`: drawn photographs to try things on."""

import numpy as np
from PIL import Image

from input_pipeline import sample


def test_names_say_what_is_wrong_with_every_second(tmp_path, capsys):
    out = tmp_path / "new" / "photos"
    assert sample.main([str(out), "--count", "4", "--side", "128"]) == 0
    assert capsys.readouterr().out.startswith(f"4 drawn photographs in {out}")
    names = sorted(path.name for path in out.iterdir())
    assert names == ["1_good.jpg", "2_defocus.jpg", "3_good.jpg", "4_uneven.jpg"]
    sharpness = {}
    for name in names:
        with Image.open(out / name) as opened:
            assert opened.size == (128, 128)
            green = np.asarray(opened)[32:96, 32:96, 1].astype(float)
        sharpness[name] = np.abs(np.diff(green, axis=0)).mean() / green.mean()
    assert sharpness["2_defocus.jpg"] < 0.7 * min(sharpness["1_good.jpg"], sharpness["3_good.jpg"])


def test_other_seeds_are_other_eyes_and_the_same_seed_the_same():
    one, again, other = (sample.photographs(1, 128, seed)["1_good.jpg"] for seed in (0, 0, 1))
    assert one.tobytes() == again.tobytes() != other.tobytes()


def test_numbers_sort():
    names = list(sample.photographs(11, 128, 0))
    assert names == sorted(names)


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert sample.main([str(tmp_path)]) == 1
    assert "not empty; give another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
