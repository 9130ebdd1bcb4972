"""Networks: each returns its output and a dict of intermediates."""
