"""TFDS builder of EyeQ-D; see `input_pipeline.readers.eyeq_d`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("eyeq_d", __name__)
