"""Sources of examples: a folder, a CSV, a data set, synthetic or degraded photographs."""
