"""TFDS builder of HRF, CHASE_DB1 or a folder of your own; see `input_pipeline.readers.vessels`."""

from input_pipeline.builders.crops import dataset_builder

BUILDER = dataset_builder("vessels", __name__)
