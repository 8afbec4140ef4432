"""A detection service over HTTP, which is also a backend of Label Studio."""

from glip_mm.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    'app': ['create_app'],
    'batching': ['Batcher'],
    'running': ['serve'],
    'settings': ['ServerSettings'],
})
