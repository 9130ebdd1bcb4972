"""R2-V2's released layout as the segmentor of `efiqa.py:paper`, at the size of its preparation."""

import numpy as np
import paper_sets
import pytest
import recipes

from fiqa_jax.inference import segmentors
from fiqa_jax.recipe import runner
from input_pipeline.photo import enhance
from input_pipeline.storage import shards

pytestmark = pytest.mark.whole


def test_vessel_maps_of_1408_pixels(tmp_path, monkeypatch):
    pytest.importorskip("skimage", reason="scikit-image is not installed: the `enhance` extra")
    config = recipes.load("paper", "efiqa")
    config.stage.segmentor.path = str(paper_sets.r2v2(tmp_path / "weights"))
    paper_sets.photograph(tmp_path / "photographs" / "one.png", 0.8)
    config.stage.good.data.path = str(tmp_path / "photographs")
    config.stage.good.data.exclude = ""
    seen, networks = [], []
    enhanced, compiled = enhance.enhanced, segmentors._compiled

    def watched(image, fov, **how):
        seen.append((image.shape, how))
        return enhanced(image, fov, **how)

    def network(*built):
        run = compiled(*built)
        return lambda x: networks.append(x.shape) or run(x)

    monkeypatch.setattr(enhance, "enhanced", watched)
    monkeypatch.setattr(segmentors, "_compiled", network)
    for stage in ("segmentor", "good"):
        runner.run(config, tmp_path / "work", only=stage)
    assert seen == [((1408, 1408, 3), {"equalise": True, "dark_fill": True})]
    assert networks == [(1, 1440, 1440, 6)]  # a side that is a multiple of 32 still gets 32 more
    stored = shards.opened(tmp_path / "work" / "good")
    vessels, fov = stored.all("vessels")[0], stored.all("fov")[0]
    assert vessels.shape == (1408, 1408, 3)
    assert np.ptp(vessels[fov > 0].astype(int), 0).min() > 10
