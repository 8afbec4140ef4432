"""Review of labels: an HTML page, a contact sheet, and a JSON summary."""

import json
import logging
import math
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from tqdm import tqdm

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.visualization import make_sheet, save_image
from glip_mm.visualization.curves import save_figure
from glip_mm.visualization.html_page import boxes_html, error_html, figure_html
from glip_mm.visualization.page_style import page_head
from glip_mm.visualization.report.figures import to_svg
from glip_mm.visualization.report.html import STYLE, card, facts, grid, percent, table

from ..label_rows import LabelRow, LabelRows
from . import plots
from .samples import choose_rows, read_samples
from .statistics import BINS, LabelStatistics, count_labels

#: Maximum number of phrases in the page's table; the summary has more.
MAX_PHRASES = 300
MAX_SUMMARY_PHRASES = 10000
#: Style for phones: the images one beneath the other.
_PHONE = '''
@media (max-width: 600px) { .pictures { display: grid; overflow: visible; margin: 0; padding: 0 } }
'''


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
        progress: Show progress bars.

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
    problem = ''
    with replacing(out / 'index.html') as file:
        def write(text: str) -> None:
            file.write(text.encode('utf-8', 'replace'))
        write(_head(rows, statistics, out / 'figures'))
        write(f'<h2 id="sample">Random sample</h2>\n<p>{len(numbers):,} of {len(rows):,} images, '
              f'seed {seed}. <span class="none">Grey words are phrases without a box.</span></p>\n'
              '<div class="pictures">\n')
        root = Path(images) if images is not None else None
        found = zip(numbers, read_samples(rows, numbers, root))
        for number, (row, sample) in tqdm(found, desc='drawing', total=len(numbers), unit='image',
                                          disable=not progress):
            shown.append(dict(row=number, filename=row.record['filename'], where=_short(row)))
            if isinstance(sample, str):
                problem = sample
                shown[-1]['problem'] = sample
                print_log(sample, logger='current', level=logging.WARNING)
                write(error_html(f'row {number}', sample))
                continue
            drawn.append(sample.draw(title=_short(row), max_side=640))
            note = ' · '.join([Path(row.record['filename']).name, _short(row)])
            write(figure_html(sample, row.record['filename'], f'<small>{escape(note)}</small>'
                              f'{boxes_html(sample)}', max_side=640))
        if not drawn:
            raise ValueError(f'none of {len(numbers)} images can be shown; the last: {problem}')
        write('</div></main></body></html>\n')
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


def _head(rows: LabelRows, statistics: LabelStatistics, folder: Path) -> str:
    title = escape(f'Labels of {rows.path.resolve().name}')
    cards = [_overview(rows, statistics)]
    if statistics.box_scores.any():
        cards += [
            _figure('Scores', 'scores', plots.score_histogram(statistics), folder, ''),
            _figure('What a least score keeps', 'kept', plots.kept_curves(statistics), folder,
                    'Of boxes, of phrases with a box, and of images.')]
    if statistics.rejects:
        total = statistics.rejects.total()
        cards.append(card('Rejected samples', table(
            ['cause', 'samples', 'percent'],
            [[escape(cause), f'{count:,}', percent(count / (total + statistics.rows))]
             for cause, count in statistics.rejects.most_common()]),
            'Percent of all samples.'))
    return (page_head(title, STYLE + _PHONE) + f'<h1>{title}</h1>\n<nav><a href="#phrases">Phrases'
            f'</a><a href="#sample">Random sample</a></nav>\n<main>{grid(cards)}'
            f'<h2 id="phrases">Phrases</h2>\n{_phrases(statistics)}')


def _overview(rows: LabelRows, statistics: LabelStatistics) -> str:
    asked = statistics.asked
    answered = asked - statistics.unanswered
    return card('In all', facts([
        ('labels', rows.path), ('images', f'{statistics.rows:,}'),
        ('rejected', f'{statistics.rejects.total():,}'), ('boxes', f'{statistics.boxes:,}'),
        ('boxes an image', f'{statistics.boxes / max(statistics.rows, 1):.2f}'),
        ('phrases in captions', f'{asked:,}'),
        ('with a box', f'{answered:,} ({percent(answered / max(asked, 1))} %)'),
        ('different phrases', f'{len(statistics.phrases):,}')]))


def _figure(title: str, key: str, figure, folder: Path, note: str) -> str:
    save_figure(figure, folder / f'{key}.png')
    return card(title, to_svg(figure, key, escape(title)), note)


def _phrases(statistics: LabelStatistics) -> str:
    found = statistics.by_frequency()
    body = [[escape(name), f'{phrase.captions:,}', f'{phrase.boxes:,}',
             f'{phrase.mean_score:.2f}' if phrase.scored else '–',
             percent(phrase.without_box / phrase.captions)]
            for name, phrase in found[:MAX_PHRASES]]
    note = ('Without determiner, in lower case. Score: mean over boxes. No box: percent of '
            'labelled captions with the phrase where it got none; captions that were rejected as '
            'a whole are not among them.')
    if len(found) > MAX_PHRASES:
        note += f' The {MAX_PHRASES} most frequent of {len(found):,}; summary.json has more.'
    return card('', table(['phrase', 'captions', 'boxes', 'score', 'no box'], body, tall=True),
                note)


def summarise(rows: LabelRows, statistics: LabelStatistics, shown: list[dict], seed: int) -> dict:
    """Build the content of ``summary.json``; rates are in 0..1, None if undefined."""
    def plain(value: float) -> float | None:
        return None if value != value else round(value, 4)
    return dict(
        version=1, labels=str(rows.path), images=statistics.rows, boxes=statistics.boxes,
        phrases=statistics.asked, phrases_without_box=statistics.unanswered,
        different_phrases=len(statistics.phrases), rejects=dict(statistics.rejects.most_common()),
        scores=dict(bin=1 / BINS, boxes=statistics.box_scores.tolist(),
                    best_of_phrases=statistics.phrase_scores.tolist(),
                    best_of_images=statistics.image_scores.tolist()),
        frequencies=[dict(phrase=name, captions=p.captions, boxes=p.boxes,
                          mean_score=plain(p.mean_score), no_box=plain(p.without_box / p.captions))
                     for name, p in statistics.by_frequency()[:MAX_SUMMARY_PHRASES]],
        seed=seed, sample=shown)
