"""The loop, and what a method is made of: states, losses, optimisers, devices, checkpoints."""
