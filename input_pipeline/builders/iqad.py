"""TFDS builder of MKCNet's five sets; see `input_pipeline.readers.iqad`. 256 pixels, as there."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("iqad", __name__, side=256)
