"""Rows of judged photographs and of labels: schema, joins, advice, diagnoses, scores."""
