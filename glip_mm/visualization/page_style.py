"""Colours of figures and pages."""

#: Colours that Matplotlib draws with, and the custom property that stands for each in a page.
INK, MUTED, GRID, PAPER = '#3f3f46', '#71717a', '#d4d4d8', '#fafaf9'
PROPERTIES = {INK: '--ink', MUTED: '--muted', GRID: '--line', PAPER: '--card'}
