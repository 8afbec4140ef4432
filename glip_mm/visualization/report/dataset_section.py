"""The part of a report that is about one data set, with all runs in each plot."""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ...evaluation.analysis.analysis import Analysis
from ...evaluation.analysis.errors import KINDS, top_confusions
from ...evaluation.analysis.ground_truth import FREQUENCIES
from ..curves import save_figure
from ..files import save_image
from ..html_page import figure_html
from ..sheet import make_sheet
from . import plots
from .figures import WIDTH, to_svg
from .html import card, details, facts, grid, percent, table
from .pictures import Picture, worst_false, worst_missed

#: Classes of a confusion matrix; of more, those that are confused most.
MAX_CONFUSION = 16


class DatasetSection:
    """Draws the figures of a data set and writes its HTML.

    Args:
        name: Of the data set.
        stem: What its files and ids begin with.
        analyses: Name of a run -> the data set as that run did.
        folder: Where PNG files go.
        pictures: How many false detections and how many missed boxes of each run are shown.
        classes: How many classes have a plot of their own: those with the most boxes.
    """

    def __init__(self, name: str, stem: str, analyses: Mapping[str, Analysis], folder: Path,
                 pictures: int = 12, classes: int = 24) -> None:
        self.name, self.stem, self.analyses, self.folder = name, stem, analyses, folder
        self.pictures, self.classes = pictures, classes
        self.first = next(iter(analyses.values()))

    def html(self) -> str:
        """The section; its PNG files are written on the way."""
        phrases = self.first.truth.phrases
        cards = [self._overview(), self._precision_recall()]
        if not phrases:
            cards += [self._sizes(), self._frequencies(), self._over_boxes()]
        cards += [self._calibration(), self._errors()]
        parts = [grid(filter(None, cards))]
        if not phrases:
            parts += [*self._confusions(), self._class_curves(), self._class_table()]
        for run, analysis in self.analyses.items():
            parts.append(self._pictures(run, analysis, 'false', worst_false,
                                        'surest false detections'))
            parts.append(self._pictures(run, analysis, 'missed', worst_missed, 'worst misses'))
        return ''.join(parts)

    # ---------------------------------------------------------------- boxes

    def _overview(self) -> str:
        first, matches = self.first, self.first.matches
        kind = 'phrases' if first.truth.phrases else 'classes with boxes'
        count = len(set(zip(first.truth.image.tolist(), first.truth.labels.tolist()))) \
            if first.truth.phrases else len(first.shown_classes)
        head = ['', *(self.analyses if len(self.analyses) > 1 else ['percent'])]
        values = dict(
            AP=[a.matches.mean_ap() for a in self.analyses.values()],
            AP50=[a.matches.mean_ap(0.5) for a in self.analyses.values()],
            AP75=[a.matches.mean_ap(0.75) for a in self.analyses.values()])
        rows = [[name, *(f'<b>{percent(v)}</b>' for v in row)] for name, row in values.items()]
        images = f'{len(first.result.images):,}'
        if len(first.result.images) < first.result.num_images:
            images += f' of {first.result.num_images:,}: the test was interrupted'
        body = table(head, rows) + facts([
            ('images', images), ('boxes', f'{int(matches.counted.sum()):,}'), (kind, f'{count:,}'),
            ('annotations', first.result.ann_file)])
        note = ''
        if first.truth.listed is not None:
            note = 'Federated annotations: AP is the fixed AP of LVIS.'
        elif first.truth.phrases:
            note = 'Every phrase of an image is a question of its own.'
        elif (empty := len(first.truth.classes) - count):
            note = f'{empty} {"class has" if empty == 1 else "classes have"} no box and no part.'
        return card('Average precision', body, note)

    def _precision_recall(self) -> str:
        lines = {}
        for run, analysis in self.analyses.items():
            precision = analysis.matches.precision[analysis.shown_classes]
            if not len(precision):
                return ''
            if len(self.analyses) > 1:
                lines[run] = precision[:, 0].mean(axis=0)
            else:
                lines = {'IoU 0.5': precision[:, 0].mean(axis=0),
                         'IoU 0.75': precision[:, 5].mean(axis=0),
                         'mean of 0.5 to 0.95': precision.mean(axis=(0, 1))}
        note = 'IoU 0.5, mean over classes.' if len(self.analyses) > 1 else 'Mean over classes.'
        return self._figure('Precision and recall', 'pr', plots.precision_recall(lines),
                            '' if self.first.truth.phrases else note)

    def _sizes(self) -> str:
        names = list(self.first.sizes)
        counts = self._size_counts()
        values = {run: [100 * v for v in a.sizes.values()] for run, a in self.analyses.items()}
        groups = [f'{name}\n{count:,}' for name, count in zip(names, counts)]
        return self._figure('AP by size', 'size', plots.group_bars(values, groups),
                            'Small is below 32² pixels, large above 96². Beneath: boxes.')

    def _size_counts(self) -> list[int]:
        areas = self.first.truth.areas[self.first.matches.counted]
        small, large = areas < 32**2, areas >= 96**2
        return [len(areas), int(small.sum()), int((~small & ~large).sum()), int(large.sum())]

    def _frequencies(self) -> str:
        letters = self.first.truth.frequency
        if letters is None:
            return ''
        counts = [letters.count(letter) for letter in FREQUENCIES]
        groups = [f'{word}\n{count:,}' for word, count in zip(FREQUENCIES.values(), counts)]
        values = {run: [100 * v for v in a.frequencies.values()]
                  for run, a in self.analyses.items()}
        return self._figure('AP by frequency', 'frequency', plots.group_bars(values, groups),
                            'How often a class is annotated in the training set. Beneath: '
                            'classes.')

    def _over_boxes(self) -> str:
        shown = self.first.shown_classes
        if len(shown) < 2:
            return ''
        points = {run: (a.matches.boxes[shown], 100 * a.matches.ap[shown, 0])
                  for run, a in self.analyses.items()}
        return self._figure('AP by number of boxes', 'boxes', plots.ap_over_boxes(points),
                            'A dot for each class.')

    def _calibration(self) -> str:
        curves = {run: a.calibration for run, a in self.analyses.items()}
        errors = ', '.join((f'{run}: ' if len(curves) > 1 else '') + percent(c.error)
                           for run, c in curves.items())
        return self._figure('Calibration', 'calibration', plots.calibration(curves),
                            'On the dashed line a score says how often a box is right (IoU 0.5). '
                            f'Mean distance in percent: {errors}.')

    def _errors(self) -> str:
        values = {run: [a.errors.counts[kind] for kind in KINDS]
                  for run, a in self.analyses.items()}
        groups = [text.replace(' ', '\n') for text in KINDS.values()]
        note = ' '.join(
            (f'{run}: at' if len(self.analyses) > 1 else 'At')
            + f' a score of {a.errors.threshold:.2f}, precision {percent(a.errors.precision)}, '
            f'recall {percent(a.errors.recall)}.' for run, a in self.analyses.items())
        return self._figure('Errors', 'errors',
                            plots.group_bars(values, groups, 'count', percent=False), note)

    def _confusions(self) -> list[str]:
        cards = []
        for index, (run, analysis) in enumerate(self.analyses.items()):
            labels = _most_confused(analysis)
            if len(labels) < 2:
                return []
            rows = [*labels, len(analysis.truth.classes)]
            figure = plots.confusion_matrix(analysis.errors.confusion[np.ix_(rows, rows)],
                                            [analysis.truth.classes[i] for i in labels])
            key = f'confusion_{index}' if len(self.analyses) > 1 else 'confusion'
            note = (f'At a score of {analysis.errors.threshold:.2f} and IoU 0.5; a box counts for '
                    'each name it was given.')
            if len(labels) < len(analysis.shown_classes):
                note += (f' The {len(labels)} of {len(analysis.shown_classes)} classes that are '
                         'confused most.')
            pairs = [[escape(a), escape(b), f'{count:,}']
                     for a, b, count in top_confusions(analysis.errors, analysis.truth.classes, 12)]
            title = 'Confusion' + (f': {run}' if len(self.analyses) > 1 else '')
            cards.append(self._figure(title, key, figure, note, scroll=True))
            if pairs:
                cards.append(card('Most frequent confusions'
                                  + (f': {run}' if len(self.analyses) > 1 else ''),
                                  table(['truth', 'taken for', 'times'], pairs, tall=True)))
        return [f'<div class="grid" style="margin-top:16px">{"".join(cards)}</div>\n']

    def _class_curves(self) -> str:
        shown = self.first.shown_classes
        boxes = self.first.matches.boxes
        chosen = sorted(sorted(shown, key=lambda i: -boxes[i])[:self.classes])
        if not chosen:
            return ''
        classes = {self.first.truth.classes[i]: {
            run: a.matches.precision[i, 0] for run, a in self.analyses.items()} for i in chosen}
        save_figure(plots.precision_recall_grid(classes), self._png('pr_classes'))
        cells = []
        for label, (name, lines) in zip(chosen, classes.items()):
            svg = to_svg(plots.precision_recall(lines, small=True), f'{self.stem}-pr-{label}',
                         escape(f'precision and recall of {name}'))
            ap = ' / '.join(percent(a.matches.class_ap(0.5)[label])
                            for a in self.analyses.values())
            cells.append(f'<div><b>{escape(name)}</b><small>AP50 {ap}</small>{svg}</div>')
        title = 'Precision and recall by class' if len(chosen) == len(shown) else \
            f'Precision and recall of the {len(chosen)} classes with the most boxes'
        return card(title,
                    f'<div class="small">{"".join(cells)}</div>', 'IoU 0.5.', 'wide')

    def _class_table(self) -> str:
        shown = self.first.shown_classes
        several = len(self.analyses) > 1
        columns = [(run, a, half) for run, a in self.analyses.items()
                   for half in ((a.matches.class_ap(0.5), ))]
        head = ['class', 'boxes']
        for run, _, _ in columns:
            head += [f'AP {run}' if several else 'AP', f'AP50 {run}' if several else 'AP50']
        letters = self.first.truth.frequency
        order = sorted(shown, key=lambda i: -np.nan_to_num(self.first.matches.ap[i, 0]))
        rows = []
        for label in order:
            row = [escape(self.first.truth.classes[label]),
                   f'{self.first.matches.boxes[label]:,}']
            for _, analysis, half in columns:
                row += [percent(analysis.matches.ap[label, 0]), percent(half[label])]
            if letters:
                row.append(FREQUENCIES[letters[label]])
            rows.append(row)
        return details(f'All {len(shown)} classes',
                       table([*head, *(['frequency'] if letters else [])], rows, tall=True))

    # ---------------------------------------------------------------- pictures

    def _pictures(self, run: str, analysis: Analysis, key: str,
                  choose: Callable[[Analysis, int], list[Picture]], title: str) -> str:
        pictures = choose(analysis, self.pictures) if self.pictures else []
        if not pictures:
            return ''
        grey = ' Grey: other true boxes.' if key == 'false' else ''
        several = len(self.analyses) > 1
        index = list(self.analyses).index(run)
        drawn = [p.sample.draw(title=p.text, max_side=640) for p in pictures]
        save_image(self._png(f'{key}_{index}' if several else key), make_sheet(drawn))
        whole = f'{run}: {title}' if several else title.capitalize()
        cells = ''.join(
            figure_html(p.sample, p.text, f'<small>{escape(Path(p.sample.path).name)}</small>',
                        max_side=560, lead=f'<div class="why"><b>{escape(p.text)}</b></div>')
            for p in pictures)
        return (f'<h4>{escape(whole)}</h4>'
                f'<p><small>At most one of an image, the worst first.{grey} Beneath each: the '
                'prompt.</small></p>'
                f'<div class="pictures">{cells}</div>\n')

    def _figure(self, title: str, key: str, figure: Figure, note: str = '',
                scroll: bool = False) -> str:
        save_figure(figure, self._png(key))
        svg = to_svg(figure, f'{self.stem}-{key}', escape(f'{title}, {self.name}'))
        if scroll:
            # legible on a phone: it scrolls inside of its box
            width = round(figure.get_size_inches()[0] * 72)
            svg = ('<div class="scroll" tabindex="0"><div style="min-width:'
                   f'{width}px;max-width:{round(1.4 * width)}px">{svg}</div></div>')
            return card(title, svg, note, 'double' if width > 72 * WIDTH + 1 else '')
        return card(title, svg, note)

    def _png(self, key: str) -> Path:
        return self.folder / f'{self.stem}_{key}.png'


def file_stems(names: Sequence[str]) -> dict[str, str]:
    """Names of data sets as parts of file names and anchors, no two the same."""
    stems: dict[str, str] = {}
    for name in names:
        stem = whole = re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-').lower() or 'dataset'
        number = 2
        while whole in stems.values():
            whole, number = f'{stem}-{number}', number + 1
        stems[name] = whole
    return stems


def _most_confused(analysis: Analysis) -> list[int]:
    """Labels for the confusion matrix, in order."""
    table = analysis.errors.confusion[:-1, :-1]
    mass = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    shown = analysis.shown_classes
    chosen = shown[np.argsort(-mass[shown], kind='stable')][:MAX_CONFUSION]
    return sorted(chosen.tolist())
