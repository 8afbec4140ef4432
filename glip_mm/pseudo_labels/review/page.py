"""Review of labels: an HTML page, a contact sheet, and a JSON summary."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from tqdm import tqdm

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.pseudo_labels.label_rows import LabelRow, LabelRows
from glip_mm.visualization import make_sheet, save_image
from glip_mm.visualization.dataset_sample import DatasetSample
from glip_mm.visualization.html_page import boxes_of, picture_of
from glip_mm.visualization.pages import percent, write_page
from glip_mm.visualization.report.dataset_section import Plot, make_plot

from . import plots
from .samples import choose_rows, read_samples
from .statistics import BINS, LabelStatistics, count_labels

#: Maximum number of phrases in the page's table; the summary has more.
MAX_PHRASES = 300
MAX_SUMMARY_PHRASES = 10000


def make_review(labels: str | Path, images: str | Path | None, out: str | Path, samples: int = 48,
                seed: int = 0, label_map: Mapping[int, str] | None = None,
                progress: bool = True) -> Path:
    """Write ``index.html``, ``contact_sheet.png``, ``summary.json`` and ``figures/``.

    Args:
        labels: Folder of a run, or another source of :class:`LabelRows`.
        images: Root folder of file names; shards contain their images.
        out: Folder for the files.
        samples: Number of images to show.
        seed: Random seed of the choice.
        label_map: Label -> name, for detection rows without categories.
        progress: Whether to show progress bars.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: If there are no labels.
        ValueError: If a row is broken, or no image can be shown; the message says why.
    """
    rows, out = LabelRows(labels, label_map), Path(out)
    if images is None and not rows.is_tar:
        raise ValueError('--images is needed: the folder that file names start from')
    if images is not None and not Path(images).is_dir():
        raise ValueError(f"--images '{images}' is no folder")
    numbers = choose_rows(len(rows), samples, seed)
    statistics = count_labels(rows, progress)
    drawn: list[np.ndarray] = []
    shown: list[dict] = []
    found = zip(numbers, read_samples(rows, numbers, Path(images) if images else None))
    with replacing(out / 'index.html') as file:
        write_page(
            file, 'review.html', title=f'Labels of {rows.path.resolve().name}',
            overview=_overview(rows, statistics), plots=_plots(statistics, out / 'figures'),
            rejects=_rejects(statistics), by_names=not statistics.captions,
            phrases=_phrases(statistics), phrases_note=_phrases_note(statistics),
            choice=f'{len(numbers):,} of {len(rows):,} images, seed {seed}.',
            # one after the other, while the page is written
            samples=(_sample(number, row, sample, drawn, shown) for number, (row, sample) in tqdm(
                found, desc='drawing', total=len(numbers), unit='image', disable=not progress)))
        if not drawn:
            raise ValueError(f"none of {len(numbers)} images can be shown; the last: "
                             f"{shown[-1]['problem']}")
    save_image(out / 'contact_sheet.png', make_sheet(drawn, _columns(len(drawn)), 400))
    write_atomically(out / 'summary.json', json.dumps(
        summarise(rows, statistics, shown, seed), indent=1, ensure_ascii=False,
        allow_nan=False).encode('utf-8', 'replace'))
    return out / 'index.html'


def _short(row: LabelRow) -> str:
    return Path(row.where).name


def _columns(count: int) -> int:
    # about as wide as high, with images of 4:5 of which a third is caption
    return max(1, min(8, round(math.sqrt(1.3 * count))))


def _sample(number: int, row: LabelRow | None, sample: DatasetSample | str, drawn: list[np.ndarray],
            shown: list[dict]) -> dict:
    """Return what the template shows of a row; note what was drawn, and what the summary says."""
    shown.append(dict(row=number) if row is None else dict(
        row=number, filename=row.record['filename'], where=_short(row)))
    if row is None or isinstance(sample, str):
        shown[-1]['problem'] = sample
        print_log(sample, logger='current', level=logging.WARNING)
        return dict(title=f'row {number}', problem=sample)
    drawn.append(sample.draw(title=_short(row), max_side=640))
    return dict(picture=picture_of(sample, row.record['filename'], max_side=640), problem='',
                note=' · '.join([Path(row.record['filename']).name, _short(row)]),
                boxes=boxes_of(sample))


def _overview(rows: LabelRows, statistics: LabelStatistics) -> dict[str, object]:
    asked = statistics.asked
    answered = asked - statistics.unanswered
    return {
        'labels': rows.path, 'images': f'{statistics.rows:,}',
        'rejected': f'{statistics.rejects.total():,}', 'boxes': f'{statistics.boxes:,}',
        'boxes an image': f'{statistics.boxes / max(statistics.rows, 1):.2f}',
        **({'phrases in captions': f'{asked:,}',
            'with a box': f'{answered:,} ({percent(answered / max(asked, 1))} %)',
            'different phrases': f'{len(statistics.phrases):,}'} if statistics.captions else
           {'images without a box': f'{statistics.empty:,}',
            'names with a box': f'{len(statistics.phrases):,}'}),
        **({'left out': ', '.join(f'{count:,} {cause}' for cause, count
                                  in statistics.left_out.most_common())}
           if statistics.left_out else {})}


def _plots(statistics: LabelStatistics, folder: Path) -> list[Plot]:
    if not statistics.box_scores.any():
        return []
    return [make_plot(figure, title, folder / f'{key}.png', key, title, note)
            for figure, title, key, note in (
                (plots.score_histogram(statistics), 'Scores', 'scores', ''),
                (plots.kept_curves(statistics), 'What a least score keeps', 'kept',
                 'Of boxes, of phrases with a box, and of images.'))]


def _rejects(statistics: LabelStatistics) -> list[list[str]]:
    total = statistics.rejects.total() + statistics.rows
    return [[cause, f'{count:,}', percent(count / total)]
            for cause, count in statistics.rejects.most_common()]


def _phrases(statistics: LabelStatistics) -> list[list[str]]:
    return [[name, f'{phrase.captions:,}', f'{phrase.boxes:,}',
             f'{phrase.mean_score:.2f}' if phrase.scored else '–',
             *([percent(phrase.without_box / phrase.captions)] if statistics.captions else [])]
            for name, phrase in statistics.by_frequency()[:MAX_PHRASES]]


def _phrases_note(statistics: LabelStatistics) -> str:
    note = 'Without determiner, in lower case. Score: mean over boxes.'
    if statistics.captions:
        note += (' No box: percent of labelled captions with the phrase where it got none; '
                 'captions that were rejected as a whole are not among them.')
    total = len(statistics.phrases)
    if total > MAX_PHRASES:
        note += f' The {MAX_PHRASES} most frequent of {total:,}; summary.json has more.'
    return note


def summarise(rows: LabelRows, statistics: LabelStatistics, shown: list[dict], seed: int) -> dict:
    """Build the content of ``summary.json``; rates are in 0..1, None if undefined."""
    def plain(value: float) -> float | None:
        return None if value != value else round(value, 4)
    return dict(
        version=1, labels=str(rows.path), images=statistics.rows, boxes=statistics.boxes,
        phrases=statistics.asked, phrases_without_box=statistics.unanswered,
        different_phrases=len(statistics.phrases), rejects=dict(statistics.rejects.most_common()),
        left_out=dict(statistics.left_out.most_common()),
        scores=dict(bin=1 / BINS, boxes=statistics.box_scores.tolist(),
                    best_of_phrases=statistics.phrase_scores.tolist(),
                    best_of_images=statistics.image_scores.tolist()),
        frequencies=[dict(phrase=name, captions=p.captions, boxes=p.boxes,
                          mean_score=plain(p.mean_score), no_box=plain(p.without_box / p.captions))
                     for name, p in statistics.by_frequency()[:MAX_SUMMARY_PHRASES]],
        seed=seed, sample=shown)
