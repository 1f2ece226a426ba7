"""Configs that train the points of a front again."""
