"""Folders of pictograms from published packages."""
