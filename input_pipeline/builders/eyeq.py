"""TFDS builder of EyeQ; see `input_pipeline.readers.eyeq`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("eyeq", __name__)
