"""TensorFlow Datasets' own test case on the builders: registration, records, eager reading."""

import tempfile
from pathlib import Path
from typing import ClassVar

import dummy_sets
import tensorflow_datasets as tfds

from input_pipeline.builders import crops, eyeq, iqad, vessels


class _OnDummies(tfds.testing.DatasetBuilderTestCase):
    """Photographs are written before the case looks for them."""

    NAME = ""
    # The case forbids `open` and `os` in the builder's module, in favour of a cloud's file system;
    # it must not forbid them in the modules that read photographs, nor numpy.load.
    MOCK_OUT_FORBIDDEN_OS_FUNCTIONS = False
    SKIP_CHECKSUMS = True  # everything is downloaded by hand

    def _make_builder(self, config=None):
        # The case reads by `as_dataset`, which TFDS has for tfrecord and not for array_record.
        return self.dataset_class(data_dir=self.tmp_dir, config=config, file_format="tfrecord")

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.EXAMPLE_DIR = str(dummy_sets.write(cls.NAME, Path(cls._folder.name)))
        config = crops.crops(cls.NAME, 32, counts="any", workers=1)
        cls.BUILDER_CONFIG_NAMES_TO_TEST = [config]
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls._folder.cleanup()

    def test_tags_are_valid(self):
        """Their check reads tags of TFDS's own catalogue, in which these sets are not."""


class TestEyeQ(_OnDummies):
    NAME = "eyeq"
    DATASET_CLASS = eyeq.BUILDER
    SPLITS: ClassVar = {"train": 3, "test": 2}


class TestIqad(_OnDummies):
    NAME = "iqad/IQAD-CT"
    DATASET_CLASS = iqad.BUILDER
    SPLITS: ClassVar = {"unsplit": 5}


class TestVessels(_OnDummies):
    NAME = "vessels/chase_db1"
    DATASET_CLASS = vessels.BUILDER
    SPLITS: ClassVar = {"unsplit": 2}


del _OnDummies  # is no test itself
