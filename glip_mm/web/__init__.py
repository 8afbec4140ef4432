"""A page in the browser: pictures and words in, boxes, tables and files out."""

from glip_mm.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    'examples': ['Example', 'quickstart_examples'],
    'finder': ['Answer', 'Finder', 'Found', 'Limits'],
    'page': ['keep_files_in', 'make_page', 'open_page'],
    'texts': ['CAPTION', 'KINDS', 'NAMES', 'read_prompt'],
})
