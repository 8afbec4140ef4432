"""Command line of glip_mm: the part that answers before torch is imported.

A package of its own because ``import glip_mm`` registers modules and therefore imports torch and
MMDetection, which takes seconds.
"""
