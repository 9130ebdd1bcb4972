"""Published weights into ours, frozen encoders, and the models that come with the package."""
