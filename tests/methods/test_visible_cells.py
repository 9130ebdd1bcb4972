"""Cells: terms by hand, turns, the map and what it sums up to."""

import jax
import jax.numpy as jnp
import numpy as np

from fiqa_jax.methods import visible_cells
from fiqa_jax.models import cell_network as nets


def test_terms_of_cells_by_hand():
    logits = np.zeros((2, 2, 2, 6), np.float32)
    logits[0, 0, 1, :2] = [np.log(3), -np.log(3)]  # bad or usable: 3/4, bad: 1/4
    logits[0, 0, 1, 2:] = [0, np.log(5), 0, 0]  # sharpness 5/8
    codes = jnp.array([[[0, 2], [255, 0]], [[255, 0], [0, 0]]], jnp.uint8)
    cause = jnp.array([[[0, 2], [3, 0]], [[1, 0], [0, 0]]], jnp.uint8)
    terms = visible_cells.terms(jnp.asarray(logits), codes, cause)
    # The one known cell is usable: right with 3/4 both ways. The second photograph has none.
    np.testing.assert_allclose(terms["cells"].value, [-np.log(0.75), 0], rtol=1e-6)
    np.testing.assert_array_equal(terms["cells"].weight, [1, 0])
    np.testing.assert_allclose(terms["cause"].value, [-np.log(5 / 8), 0], rtol=1e-6)
    assert set(visible_cells.terms(jnp.asarray(logits), codes, None)) == {"cells"}


def test_turns_are_the_eight_positions_of_a_square():
    cells = np.arange(9).reshape(3, 3)
    keys = jax.random.split(jax.random.key(0), 200)
    got = np.asarray(visible_cells.turned(jnp.broadcast_to(jnp.asarray(cells), (200, 3, 3)), keys))
    want = {np.rot90(c, k).tobytes() for c in (cells, cells.T) for k in range(4)}
    assert {np.ascontiguousarray(g, cells.dtype).tobytes() for g in got} == want
    pair = jnp.stack([jnp.asarray(cells), jnp.asarray(cells)], -1)[None]
    deep = np.asarray(visible_cells.turned(pair, keys[:1]))  # channels stay together
    np.testing.assert_array_equal(deep[0, ..., 0], got[0])
    np.testing.assert_array_equal(deep[0, ..., 1], got[0])


def test_map_is_the_mean_of_both_levels_and_zero_outside():
    logits = np.zeros((1, 2, 1, 6), np.float32)
    logits[0, 0, 0, :2] = [np.log(3), -np.log(3)]
    logits[0, 0, 0, 2] = 50
    out = visible_cells.map_and_causes(jnp.asarray(logits), jnp.array([[[True], [False]]]))
    np.testing.assert_allclose(out["map"][0, :, 0], [0.5, 0], atol=1e-6)
    np.testing.assert_allclose(out["causes"][0, :, 0], [[1, 0, 0, 0], [0] * 4], atol=1e-6)


def test_shares_of_a_half_covered_field():
    n = 8
    quality = np.zeros((1, n, n), np.float32)
    quality[:, :, :4] = 1
    inside = np.ones((1, n, n), bool)
    inside[:, 0] = False
    causes = np.zeros((1, n, n, 4), np.float32)
    causes[..., 3] = 1
    found = np.asarray(
        visible_cells.shares(
            {"map": quality, "causes": causes}, jnp.asarray(inside), jnp.ones(1) * 256
        )
    )[0]
    np.testing.assert_allclose(found[:2], 0.5)  # of the field, of its middle
    np.testing.assert_allclose(found[2:6], [0, 0, 0, 0.5])
    np.testing.assert_allclose(found[8], 0.5, atol=1e-3)  # above 0.4
    np.testing.assert_allclose(found[12:16], [0, 0, 0, 0.5], atol=1e-3)
    np.testing.assert_array_equal(found[16:], [-1, 1])  # half of 512 px, and known


def test_the_size_of_the_field():
    size, known = nets.field_size(jnp.array([512.0, 128.0, jnp.nan, 0.0]))
    np.testing.assert_allclose(size, [0, -2, 0, 0])
    np.testing.assert_array_equal(known, [1, 1, 0, 0])


def test_cells_of_which_half_lies_in_the_field():
    fov = np.zeros((1, 256, 256), np.uint8)
    fov[0, :132, :8] = 1
    _, inside = visible_cells.measured(jnp.zeros((1, 256, 256, 3)), jnp.asarray(fov))
    got = np.asarray(inside)
    assert got.sum() == 17  # the last row of cells is half inside
    assert got[0, :17, 0].all()
