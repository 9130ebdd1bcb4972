"""The map against contrast measured on degraded photographs of HRF."""

import numpy as np
from PIL import Image
from scipy import ndimage, stats

from input_pipeline import synthetic
from input_pipeline.synthetic import degrade
from input_pipeline.synthetic.plans import plan


def load_hrf(folder, name, side):
    """A photograph of HRF cropped to its field, with vessels and field, `side` pixels square."""
    image = Image.open(folder / "images" / f"{name}.jpg")
    truth_map = Image.open(folder / "vessels" / f"{name}.png").convert("L")
    columns = np.flatnonzero((np.asarray(image).max(-1) > 40).mean(0) > 0.05)
    left, width = int(columns[0]), int(columns[-1] - columns[0]) + 1
    top = (image.height - width) // 2
    box = (left, top, left + width, top + width)
    small = np.asarray(image.crop(box).resize((side, side), Image.Resampling.BOX))
    cover = np.asarray(truth_map.crop(box).resize((side, side), Image.Resampling.BOX))
    fov = ndimage.binary_erosion(ndimage.binary_fill_holes(small.max(-1) > 40), iterations=3)
    return small, cover, fov.astype(np.uint8)


def measured_contrast(image, cover, fov, cells):
    """Vessel contrast of each cell from a finished photograph alone: background less vessel."""
    green = image[..., 1].astype(float)
    vessel = (cover > 150) & (fov > 0)
    ring = ndimage.binary_dilation(cover > 30, iterations=4) & (cover < 10) & (fov > 0)
    out = np.full((len(image) // cells,) * 2, np.nan)
    for i, j in np.ndindex(out.shape):
        cell = np.s_[i * cells : (i + 1) * cells, j * cells : (j + 1) * cells]
        if vessel[cell].sum() > 12 and ring[cell].sum() > 12:
            out[i, j] = green[cell][ring[cell]].mean() - green[cell][vessel[cell]].mean()
    return out


def test_map_agrees_with_contrast_measured_on_degraded_hrf(shared_data):
    """Rank correlation of visibility with the contrast left, measured without I0 or D."""
    left, seen = [], []
    names = sorted(p.stem for p in (shared_data / "hrf" / "images").iterdir())[::12]
    for k, name in enumerate(names):
        image, cover, fov = load_hrf(shared_data / "hrf", name, 384)
        before = measured_contrast(image, cover, fov, 24)
        without = synthetic.remove_vessels(image, cover, fov)
        for seed in range(5):
            rng = np.random.default_rng([k, seed])
            todo = [p for p in plan(rng, 1.0) if p.name not in ("noise", "jpeg")]
            done = degrade(image, fov, seed, todo, without, cover, 24)
            after = measured_contrast(done.image, cover, fov, 24)
            good = ~np.isnan(before) & ~np.isnan(done.visibility) & (before > 6)
            left.append(np.clip(after[good] / before[good], 0, 1))
            seen.append(done.visibility[good])
    rho = stats.spearmanr(np.concatenate(left), np.concatenate(seen)).statistic
    assert len(np.concatenate(left)) > 1000
    assert rho > 0.9
    print(f"rank correlation of map and measured contrast on degraded HRF: {rho:.3f}")
