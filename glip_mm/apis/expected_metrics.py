"""Published numbers of the released models, under the names that our metrics give them."""

from pathlib import Path
from typing import NamedTuple

from glip_mm.checkpoints.model_index import index_root, index_rows

#: Allowed difference from a published result in percentage points, unless the metafile sets one.
TOLERANCE = 0.3
_LVIS = {'box AP': 'lvis/AP', 'box APr': 'lvis/APr', 'box APc': 'lvis/APc', 'box APf': 'lvis/APf'}
_FLICKR = {f'R@{k}': f'phrases/any/Recall@{k}' for k in (1, 5, 10)}
#: Benchmark -> metric name in the metafile -> name of our metric. ODinW's sets keep their names.
KEYS: dict[str, dict[str, str]] = {
    'coco': {'box AP': 'coco/bbox_mAP'},
    'lvis_minival': _LVIS, 'lvis_val': _LVIS,
    'flickr30k_val': _FLICKR, 'flickr30k_test': _FLICKR,
    **dict.fromkeys(('odinw13', 'odinw13_prompts', 'odinw35'), {'average box AP': 'odinw/mean'}),
}


class Expected(NamedTuple):
    """Expected test results of a released model."""

    #: Name of the metric -> value in 0..1.
    metrics: dict[str, float]
    #: Allowed absolute difference, in 0..1.
    tolerance: float
    #: Publication or file that the numbers come from.
    source: str


def expected_metrics(model: str | None, benchmark: str | None, root: Path | None = None
                     ) -> Expected | None:
    """Look up the published results of a released model.

    Args:
        model: ``model_name`` of the config, a name of the model index.
        benchmark: ``benchmark`` of the config, e.g. ``'lvis_minival'``.
        root: Folder of ``model-index.yml``; default: that of the package.

    Returns:
        The published results; None if none are known.

    Raises:
        ValueError: If the metafile names a benchmark that :data:`KEYS` does not have.
    """
    if not model or not benchmark:
        return None
    root = index_root() if root is None else root
    for metafile, row in index_rows(root):
        for result in row.get('Results') or [] if row['Name'] == model else []:
            if result.get('Benchmark') == benchmark:
                return _expected(result, benchmark, metafile)
    return None


def _expected(result: dict, benchmark: str, metafile: str) -> Expected:
    if benchmark not in KEYS:
        raise ValueError(f"'{metafile}' has numbers of benchmark '{benchmark}', but the names of "
                         f'its metrics are not known; known: {", ".join(KEYS)}')
    names = KEYS[benchmark]
    metrics = {}
    for name, value in result['Metrics'].items():
        key = names.get(name)
        if key is None and benchmark.startswith('odinw'):
            key = f'odinw/{name}'
        if key is None:
            raise ValueError(f"'{metafile}': '{name}' is no metric of {benchmark}; known: "
                             f'{", ".join(names)}')
        metrics[key] = value / 100
    return Expected(metrics, result.get('Tolerance', TOLERANCE) / 100,
                    result.get('Source', "the authors' README"))
