"""TFDS builder of DeepDRiD; see `input_pipeline.readers.deepdrid`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("deepdrid", __name__)
