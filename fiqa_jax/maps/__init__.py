"""Quality maps: scored against annotated pixels, pooled into a decision, drawn."""
