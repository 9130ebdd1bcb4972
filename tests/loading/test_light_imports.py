"""Which modules load TensorFlow or JAX, and what is said where TensorFlow is not there."""

import subprocess
import sys

LIGHT = (
    *("loading.order", "loading.batches", "loading.threads", "sources.opening", "sources.splits"),
    *("sources.csv_source", "sources.folder_source", "sources.scan", "sources.photo_files"),
    *("sources.generated.synthetic_source", "tables.examples", "tables.codes", "tables.columns"),
    *("photo", "storage.store", "storage.cache", "prepare", "synthetic"),
)


def test_only_the_tfdata_driver_loads_tensorflow_and_nothing_loads_jax():
    code = (
        f"import sys, {', '.join(f'input_pipeline.{name}' for name in LIGHT)}\n"
        "loaded = {'tensorflow', 'jax', 'tensorflow_datasets', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "from input_pipeline.loading import tfdata\n"
        "assert 'tensorflow' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)


def test_without_tensorflow_the_error_names_the_way_out():
    code = (
        "import sys\nsys.modules['tensorflow'] = None\n"
        "import numpy as np\n"
        "from input_pipeline.loading import batches\n"
        "try:\n    batches.DRIVERS and batches._driver('tfdata')\n"
        "except ImportError as error:\n"
        "    assert 'data.driver=threads' in str(error) and 'fiqa-jax[train]' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
        "batches._driver('threads')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_tensorflow_leaves_the_accelerators_alone():
    from input_pipeline.loading import tfdata

    assert tfdata.tf.config.get_visible_devices("GPU") == []
