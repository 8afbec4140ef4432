"""Draw grounding results, and pages and charts of them."""

from glip_mm.lazy import lazy_exports

# the visualizer brings MMDetection's evaluation and Matplotlib along
__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    'caption': ['draw_caption'],
    'dataset_sample': ['DatasetSample', 'read_sample'],
    'files': ['save_image', 'write_atomically'],
    'grounding': ['draw_grounding'],
    'html_page': ['HtmlPage'],
    'palette': ['PALETTE', 'entity_colors'],
    'sheet': ['make_sheet'],
    'visualizer': ['GroundingVisualizer'],
})
