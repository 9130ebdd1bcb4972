"""TFDS builder of synthetic photographs; see `sources.generated.synthetic_source`."""

from input_pipeline.builders.crops import drawn_builder

BUILDER = drawn_builder("drawn", __name__)
