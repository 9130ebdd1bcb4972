"""Published segmentors see a photograph as their authors prepared it; ours as it was trained."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from golden import seeded

from fiqa_jax.convert import convert
from fiqa_jax.inference import segmentors
from fiqa_jax.models.wnet import WNet
from fiqa_jax.pretrained import tensors
from input_pipeline.photo import enhance


def photograph(height=60, width=80):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    fov = np.zeros((height, width), np.uint8)
    fov[5:-5, 10:-10] = 1
    return image * fov[..., None], fov


@pytest.mark.parametrize(("name", "channels"), [("r2v2", 6), ("rrwnet", 3)])
def test_as_its_authors_run_it(tmp_path, name, channels):
    """PyTorch (re-written): padding, sigmoid, mask, cropping and interpolation of their program."""
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    from golden import unet_reference

    torch.set_num_threads(1)
    net = unet_reference.RRWNet(channels, 2, 5).eval()
    own = {k: tuple(v.shape) for k, v in net.named_parameters()}
    state = {k: torch.from_numpy(v) for k, v in seeded.state_dict(own).items()}
    net.load_state_dict(state, strict=False)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    convert(name, tmp_path / "net.pth", tmp_path / "net.safetensors")
    image, fov = photograph()
    found = segmentors.load(tmp_path / "net.safetensors", width=64)(image, fov)

    plain, mask = (enhance.resized(x, 64) for x in (image / 255.0, fov.astype(float)))
    later = name == "r2v2"
    better, inside = enhance.enhanced(plain, mask > 0.5, equalise=later, dark_fill=later)
    x = np.concatenate([better, plain], -1) if channels == 6 else better
    (top, bottom), (left, right) = (enhance.padding(n) for n in inside.shape)
    tensor = torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32))
    tensor = torch.nn.functional.pad(tensor, (left, right, top, bottom))
    with torch.no_grad():
        p = torch.sigmoid(net(tensor)[-1])[..., top:-bottom, left:-right]
        p = p * torch.from_numpy(inside.astype(np.float32))
        p = torch.nn.functional.interpolate(p, image.shape[:2], mode="bilinear")
    want = p[0].permute(1, 2, 0).numpy() * fov[..., None]
    np.testing.assert_allclose(found, want, atol=1e-4)
    assert (found[fov == 0] == 0).all()
    assert np.ptp(want[fov > 0], 0).min() > 0.01


@pytest.mark.parametrize("classes", [1, 4])
def test_wnet(tmp_path, classes):
    net = WNet(classes, (2, 4))
    image, fov = photograph()
    x = np.zeros((1, 64, 96, 3), np.float32)
    x[0, :60, :80] = image / 255.0
    variables = jax.jit(lambda k: net.init(k, x, False))(jax.random.key(0))
    path = tmp_path / "wnet.safetensors"
    tensors.save(path, variables, {"model": "wnet", "out": classes, "layers": [2, 4]})
    found = segmentors.load(path)(image, fov)
    logits = net.apply(variables, x, False)[0][0, :60, :80]
    if classes == 1:
        want = np.repeat(nn.sigmoid(logits), 3, -1)
    else:
        _, artery, crossing, vein = np.moveaxis(np.asarray(nn.softmax(logits)), -1, 0)
        want = np.stack([artery + crossing, vein + crossing, artery + crossing + vein], -1)
    np.testing.assert_allclose(found, want * fov[..., None], atol=1e-5)


def test_what_holds_no_segmentor(tmp_path):
    tensors.save(tmp_path / "x.safetensors", {"a": np.ones(2)}, {"model": "vit"})
    with pytest.raises(ValueError, match="holds 'vit', no vessel segmentor; convert one"):
        segmentors.load(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        segmentors.load(tmp_path / "none.safetensors")
