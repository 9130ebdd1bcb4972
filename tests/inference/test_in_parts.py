"""A batch in parts gives what it gives as a whole, in order, and the model sees each part once."""

import jax
import numpy as np
import pytest

from fiqa_jax.inference import in_parts


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
