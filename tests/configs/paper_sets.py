"""Folders laid out as the sets that `:paper` asks for, with a few made-up photographs, and weights.

Every function writes below a folder and returns what its flag is given.
"""

import json

import dummy_sets
import jax
import numpy as np
import safetensors.numpy
from golden import seeded
from PIL import Image

from fiqa_jax import convert, models
from fiqa_jax.models.rrwnet import RRWNet
from fiqa_jax.pretrained import tensors

LEVELS = (0.6, 0.7, 0.8, 0.9)


def photograph(path, level):
    """A disc of that brightness with a pattern of its own."""
    dummy_sets.photograph(path, level)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    pattern = np.random.default_rng(round(1e4 * level)).uniform(0.8, 1.0, (16, 16, 1))
    pixels = (pixels * np.kron(pattern, np.ones((4, 4, 1)))).astype(np.uint8)
    Image.fromarray(pixels).save(path, **({} if path.suffix == ".png" else {"quality": 95}))


def mshf(root):
    """Twelve photographs of two cameras with every detail both ways, and one of a third kind."""
    base = root / "MSHF dataset 2.0"
    block = ("illumination", "clarity", "contrast", "Overall")
    rows = [("image name", "annotator 1", *[""] * 4, "annotator 2", *[""] * 4, "annotator 3")]
    rows.append(("", *block, "", *block, "", *block))
    names = [f"Healthy-{k}" for k in range(6)] + [f"Local1-{k}" for k in range(6)]
    for k, name in enumerate([*names, "UWF-mosaic-1"]):
        votes = (k % 2, int(k % 3 > 0), k % 2, int(k % 4 > 0))
        rows.append((f"{name}.jpg", *votes, None, *votes, None, *votes))
        part = "test" if k % 4 == 3 else "train"
        for place in (f"Original/{name.rpartition('-')[0]}", f"AI-use/{part}"):
            photograph(base / place / f"{name}.jpg", LEVELS[k % 4] - k / 100)
    dummy_sets.book(base / "Individual_scores.xlsx.xlsx", rows)
    return root


def messidor2(root):
    """Six photographs named as Messidor-2's, and EFIQA's list, which leaves out two of them."""
    names = ("20051020_43808_0100_PP.png", "20051020_64993_0100_PP.png", "IM000004.JPG")
    for k, name in enumerate((*names, "IM000012.JPG", "IM000139.JPG", "IM002385.JPG")):
        photograph(root / "IMAGES" / name, 0.7 + k / 50)
    return root


def excluded(root):
    """The list of Messidor-2's photographs to leave out."""
    root.mkdir()
    (root / "Messidor_NSFS.txt").write_text("20051020_64993_0100_PP\nIM000139\nIM000012\n" * 2)
    return root / "Messidor_NSFS.txt"


def eyeq(root):
    """Fourteen photographs of eight people to train on, six to test."""
    for split, count in (("train", 14), ("test", 6)):
        first = 100 if split == "test" else 0
        names = [f"{first + k // 2}_{('left', 'right')[k % 2]}.jpeg" for k in range(count)]
        rows = [(k, name, k % 3, k % 5) for k, name in enumerate(names)]
        file = root / "data" / f"Label_EyeQ_{split}.csv"
        dummy_sets.table(file, ("", "image", "quality", "DR_grade"), rows)
        for k, name, *_ in rows:
            photograph(root / split / name, LEVELS[k % 4] - k / 100)
    return root


def deepdrid(root):
    """Five people in training, two in validation and two in the evaluation set, two eyes each."""
    head = ("patient_id", "image_id", "image_path", "Overall quality", "left_eye_DR_Level")
    head += ("right_eye_DR_Level", "patient_DR_Level", "Clarity", "Field definition", "Artifact")
    base = root / "regular_fundus_images"
    for split, patients in (("training", range(1, 6)), ("validation", (265, 266))):
        folder = f"regular-fundus-{split}"
        rows = []
        for p in patients:
            for eye, good in (("l1", p % 2), ("r1", 1 - p % 2)):
                grade = (2, "", 4) if eye == "l1" else ("", 5, 4)
                path = f"\\{folder}\\{p}\\{p}_{eye}.jpg"
                rows.append((p, f"{p}_{eye}", path, good, *grade, 10, 8, 0))
                file = base / folder / "Images" / str(p) / f"{p}_{eye}.jpg"
                photograph(file, 0.6 + good / 4)
        dummy_sets.table(base / folder / f"{folder}.csv", head, rows)
    test = base / "Online-Challenge1&2-Evaluation"
    names = [f"{p}_{eye}" for p in (347, 348) for eye in ("l1", "r2")]
    dummy_sets.book(
        test / "Challenge1_labels.xlsx",
        [("image_id", "DR_Levels"), *((name, 3) for name in names)],
    )
    head = ("image_id", "Overall quality ", "Artifact", "Clarity", " Field definition")
    rows = [(name, k % 2, 10, 6, 8) for k, name in enumerate(names)]
    dummy_sets.book(test / "Challenge2_labels.xlsx", [head, *rows])
    for k, name in enumerate(names):
        photograph(test / "Images" / name.partition("_")[0] / f"{name}.jpg", LEVELS[k])
    return root


NAMES = {
    "EYEQ": "{}_left.jpg",
    "DEEPDR": "{}_l1.jpg",
    "DRAC": "{:03}.png",
    "IQAD-CT": "Covid ({}).png",
    "IQAD-CXR": "{:08}_001.png",
}


def iqad(root, name, diagnoses, grades):
    """One of MKCNet's sets: twelve photographs to train on, six to validate and to test each."""
    number = 0
    for split, count in (("train", 12), ("val", 6), ("test", 6)):
        if name == "DRAC" and split != "train":
            continue
        rows = []
        for k in range(count * (4 if name == "DRAC" else 1)):  # DRAC is parted here
            number += 1
            file = f"Images/{NAMES[name].format(number)}"
            level = (0, 1, 4)[k % 3] if diagnoses == 3 and name != "DRAC" else k % diagnoses
            best_last = name in ("EYEQ", "IQAD-CXR")  # their codes of quality run the other way
            grade = (k // 3) % grades
            rows.append((file, level, grades - 1 - grade if best_last else grade))
            photograph(root / name / file, LEVELS[k % 4] - k / 100)
        dummy_sets.table(root / name / f"{split}.txt", ("image_name", "DR_label", "IQ_label"), rows)
    return root


def resnet(root):
    """Weights of the trunk of `model.name=tiny`, as `fiqa_jax.convert` writes a ResNet's."""
    net = models.MODELS["tiny"](width=1.0)
    image = np.zeros((1, 32, 32, 3), np.float32)
    variables = jax.device_get(jax.jit(lambda k: net.init(k, image, False))(jax.random.key(0)))
    tensors.save(root / "resnet18.safetensors", variables, {"model": "tiny"})
    return root / "resnet18.safetensors"


def segmentor(root):
    """An RRWNet of base 2 in a file called so; its preparation needs no scikit-image."""
    net = RRWNet(2, 3, 1)
    image = np.zeros((1, 32, 32, 3), np.float32)
    variables = jax.device_get(jax.jit(lambda k: net.init(k, image, False))(jax.random.key(0)))
    for half in ("first", "second"):  # maps light enough for the floor of grey levels
        head = variables["params"][half]["head"]["conv"]
        head["bias"], head["kernel"] = head["bias"] + 0.5, 5 * head["kernel"]
    metadata = {"model": "rrwnet", "prepared": "rrwnet", "base": 2, "levels": 3}
    metadata |= {"iterations": 1, "channels": 3}
    path = root.with_suffix(".safetensors")
    tensors.save(path, variables, metadata)
    return path


def dinov3(root):
    """A DINOv3 of one block, as a folder of the Hugging Face hub."""
    dim = 16
    one = {"": (dim,)}
    shapes = {
        "embeddings.cls_token": (1, 1, dim),
        "embeddings.mask_token": (1, 1, dim),
        "embeddings.register_tokens": (1, 4, dim),
        "embeddings.patch_embeddings.weight": (dim, 3, 16, 16),
        "embeddings.patch_embeddings.bias": (dim,),
        "layer.0.mlp.up_proj.weight": (2 * dim, dim),
        "layer.0.mlp.up_proj.bias": (2 * dim,),
        "layer.0.mlp.down_proj.weight": (dim, 2 * dim),
        "layer.0.mlp.down_proj.bias": (dim,),
        "layer.0.layer_scale1.lambda1": (dim,),
        "layer.0.layer_scale2.lambda1": (dim,),
    }
    for part in "qkvo":
        shapes[f"layer.0.attention.{part}_proj.weight"] = (dim, dim)
        if part != "k":
            shapes[f"layer.0.attention.{part}_proj.bias"] = one[""]
    for norm in ("norm", "layer.0.norm1", "layer.0.norm2"):
        shapes |= {f"{norm}.weight": (dim,), f"{norm}.bias": (dim,)}
    root.mkdir()
    (root / "config.json").write_text(json.dumps({"model_type": "dinov3_vit"}))
    safetensors.numpy.save_file(seeded.state_dict(shapes), root / "model.safetensors")
    return root


def r2v2(root):
    """R2-V2's `bv` of base 1, converted from its released layout of six channels."""
    shapes = {}
    for half, channels, classes in (("first_u", 6, 3), ("second_u", 3, 2)):
        sizes = [channels, 1, 2, 4, 8, 16]
        for k in range(1, 6):
            shapes[f"{half}.conv{k}.conv1"] = (sizes[k], sizes[k - 1], 3, 3)
            shapes[f"{half}.conv{k}.conv2"] = (sizes[k], sizes[k], 3, 3)
        for k, size in enumerate((8, 4, 2, 1), 1):
            shapes[f"{half}.upconv{k}.conv"] = (2 * size, size, 2, 2)
            shapes[f"{half}.conv{5 + k}.conv1"] = (size, 2 * size, 3, 3)
            shapes[f"{half}.conv{5 + k}.conv2"] = (size, size, 3, 3)
        shapes[f"{half}.outconv"] = (classes, 1, 1, 1)
    state = {}
    for name, shape in shapes.items():
        biases = shape[1] if "upconv" in name else shape[0]
        state |= seeded.state_dict({f"{name}.weight": shape, f"{name}.bias": (biases,)})
    root.mkdir()
    safetensors.numpy.save_file(seeded.louder(state, "", 3.0), root / "bv_released.safetensors")
    convert.convert("r2v2", root / "bv_released.safetensors", root / "bv.safetensors")
    return root / "bv.safetensors"
