"""Makes mobilenet.npz: what Keras computes with MobileNetV1 of width 0.25.

pip install tensorflow-cpu
python tests/golden/make_mobilenet.py
"""

import re
from pathlib import Path

import keras
import keras_seeded
import numpy as np
import seeded
import tensorflow as tf

if __name__ == "__main__":
    shape = (*keras_seeded.SIDES, 3)
    net = keras.applications.MobileNet(shape, keras_seeded.WIDTH, include_top=False, weights=None)
    # Keras 3 calls a depthwise kernel a kernel; files of Keras 2 say depthwise_kernel.
    names = [re.sub(r"(_dw_\d+/)kernel", r"\1depthwise_kernel", w.path) for w in net.weights]
    state = keras_seeded.state({n: w.shape for n, w in zip(names, net.weights, strict=True)})
    for name, weight in zip(names, net.weights, strict=True):
        weight.assign(state[name])
    taps = [net.get_layer(f"conv_pw_{i}_relu").output for i in (11, 13)]
    run = keras.Model(net.input, taps)
    stride16, stride32 = run(seeded.images(2, *keras_seeded.SIDES), training=False)
    out = {"stride16": np.array(stride16), "stride32": np.array(stride32)}
    path = Path(__file__).with_name("mobilenet.npz")
    np.savez_compressed(path, **out, tensorflow=tf.__version__, names=np.array(names))
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
