"""Comparison of test results with published ones, and the usual causes of a difference."""

from collections.abc import Mapping

from .expected_metrics import Expected

#: Usual causes of a difference from the published result, most frequent first.
USUAL_CAUSES = (
    'the checkpoint is not the one of this config, or its averaged weights (model_ema) were taken '
    'for the weights: compare the checksum, read the log of the loading',
    'images: colours must be BGR with the published mean and std, the short side 800 and the long '
    'side at most 1333, resized by Pillow and rounded down, padded with zeros after normalisation '
    '(ShortSideResize, imdecode_backend=\'pillow\')',
    "prompt: names joined by '. ' without a last period, cleaned as published with their trailing "
    'blanks; a name given as an override is used as it is written; captions keep their case',
    'classes: another annotation file, list of classes or order than that of the protocol (ODinW: '
    'each set has its own list and split, val or test)',
    'chunks: LVIS goes in chunks of 40 classes with 300 detections each and nothing suppressed '
    'between chunks (model.test_cfg.chunked_size, max_per_img, chunk_merge)',
    'LVIS: fixed AP with 10,000 detections of each class over the whole set is another number than '
    'standard AP, and minival than val',
    'Flickr30k: any-box recall is another number than merged-box recall; 100 detections are shared '
    'by all phrases; IoU at least 0.5 without +1',
    'detections: score threshold 0.05 on the mean over tokens before the centerness, NMS 0.6, 1000 '
    'candidates a level, 100 detections an image (model.test_cfg)',
    'boxes: the +1 of inclusive pixels belongs into the model and COCO results, not into those '
    'of LVIS and Flickr30k',
    'score of a class: the mean of the probabilities of its tokens, not the probability of their '
    'mean',
    'the published number is of several scales (--tta), or of the best checkpoint of a run, not of '
    'the released one',
    'half precision (fp16, bf16) in the fusion, whose clamps need float32',
)


def compare(expected: Expected, obtained: Mapping[str, float]) -> tuple[str, list[str]]:
    """Tabulate expected and obtained values.

    Args:
        expected: Published values.
        obtained: Results of a test.

    Returns:
        The table, and the names of the metrics that are missing or differ beyond the tolerance.
    """
    rows, off = [('metric', 'expected', 'obtained', 'difference', '')], []
    for name, value in expected.metrics.items():
        if name not in obtained:
            rows.append((name, f'{value:.2%}', 'missing', '', '<- not computed'))
            off.append(name)
            continue
        difference = obtained[name] - value
        # not `> tolerance`: a nan must count as a difference
        good = abs(difference) <= expected.tolerance + 1e-9
        rows.append((name, f'{value:.2%}', f'{obtained[name]:.2%}', f'{difference * 100:+.2f}',
                     '' if good else f'<- beyond {expected.tolerance * 100:.2f}'))
        if not good:
            off.append(name)
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    table = '\n'.join('  '.join(
        [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:4], widths[1:4])), row[4]]
    ).rstrip() for row in rows)
    return f'{table}\n(expected: {expected.source})', off


def causes() -> str:
    """Return the usual causes of a difference as a numbered list."""
    return 'Usual causes:\n' + '\n'.join(f'  {i}. {c}' for i, c in enumerate(USUAL_CAUSES, 1))
