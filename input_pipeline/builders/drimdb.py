"""TFDS builder of DRIMDB; see `input_pipeline.readers.drimdb`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("drimdb", __name__)
