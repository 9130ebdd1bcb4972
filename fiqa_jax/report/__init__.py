"""Self-contained HTML pages of what a work directory or an output folder holds."""
