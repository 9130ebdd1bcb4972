"""TensorFlow Datasets builders over the prepared cache."""
