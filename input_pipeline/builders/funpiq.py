"""TFDS builder of FunPiQ; see `input_pipeline.readers.funpiq`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("funpiq", __name__)
