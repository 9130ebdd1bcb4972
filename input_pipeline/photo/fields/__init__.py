"""Where the round field of view lies in a picture."""
