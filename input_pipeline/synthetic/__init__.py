"""Drawn fundus photographs and degradations, both with pixel truth. numpy and scipy only."""
