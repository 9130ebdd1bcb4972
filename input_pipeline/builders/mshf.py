"""TFDS builder of MSHF; see `input_pipeline.readers.mshf`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("mshf", __name__)
