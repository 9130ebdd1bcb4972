"""A batch in parts gives what it gives as a whole, in order, and the model sees each part once."""

import dataclasses

import jax
import numpy as np
import pytest

from fiqa_jax.inference import in_parts
from fiqa_jax.inference.predictor import Predictor
from input_pipeline import synthetic


@pytest.mark.parametrize("part", [1, 2, 3, 7])
def test_parts_are_joined_in_order(part: int) -> None:
    seen = []

    def model(batch):
        seen.append(len(batch["image"]))
        return {"score": batch["image"].sum((1, 2)) + batch["fov"], "map": -batch["image"]}

    image = np.arange(5 * 2 * 3).reshape(5, 2, 3)
    fov = 100.0 * np.arange(5)
    found = in_parts.run(model, {"image": image, "fov": fov}, part)
    np.testing.assert_array_equal(found["score"], image.sum((1, 2)) + fov)
    np.testing.assert_array_equal(found["map"], -image)
    assert sum(seen) == 5
    assert max(seen) == min(part, 5)


def test_one_program_is_compiled_on_cpus_for_batches_of_any_size() -> None:
    if jax.default_backend() != "cpu":
        pytest.skip("of CPUs")
    traced = []

    @jax.jit
    def model(batch):
        traced.append(batch["x"].shape)
        return {"y": 2 * batch["x"]}

    for count in (1, 4, 3):
        in_parts.run(model, {"x": np.ones((count, 2))}, in_parts.size(count))
    assert traced == [(1, 2)]


@pytest.mark.parametrize("name", ["efiqa", "open"])  # with an encoder in front, and without
def test_rows_are_the_same_in_groups_of_any_size_and_nothing_is_computed_for_nobody(name) -> None:
    """1, batch - 1, batch and batch + 1 photographs, one of a group out of scope."""
    predictor = Predictor(name, batch=3)
    pictures = [synthetic.draw(seed, 256, "a").image for seed in range(3)]
    pictures.insert(1, np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    photos = [predictor.read(picture) for picture in pictures]
    assert [predictor.in_scope(photo) for photo in photos] == [True, False, True, True]
    names = [str(i) for i in range(4)]
    given: list[int] = []
    model = predictor.model

    def counted(batch):
        given.append(len(batch["image"]))
        return model.predict(batch)

    alone = [predictor.judge([p], [i], [i], [""])[0] for p, i in zip(photos, names, strict=True)]
    predictor.model = dataclasses.replace(model, predict=counted)
    for count in (1, 2, 3, 4):
        given.clear()
        rows = []
        for at in range(0, count, 3):
            one = slice(at, min(at + 3, count))
            rows += predictor.judge(photos[one], names[one], names[one], [""] * len(names[one]))
        for got, want in zip(rows, alone[:count], strict=True):
            assert got.row == want.row
            assert (got.map is None) == (want.map is None)
            if want.map is not None:
                np.testing.assert_array_equal(got.map, want.map)
        if jax.default_backend() == "cpu":
            assert sum(given) == count - (count > 1)
        else:
            assert set(given) == {3}
