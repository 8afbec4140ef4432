"""Version of glip_mm."""

__version__ = '0.2.0'
