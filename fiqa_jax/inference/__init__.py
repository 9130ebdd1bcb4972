"""Trained models in use: model directories, photographs in, prediction rows and maps out."""
