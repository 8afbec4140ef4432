"""Collect the part of a report that is about one data set, with all runs in each plot."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from glip_mm.evaluation.analysis.analysis import Analysis
from glip_mm.evaluation.analysis.errors import KINDS, top_confusions
from glip_mm.evaluation.analysis.ground_truth import FREQUENCIES
from glip_mm.visualization.curves import save_figure
from glip_mm.visualization.files import save_image
from glip_mm.visualization.html_page import picture_of
from glip_mm.visualization.pages import percent
from glip_mm.visualization.sheet import make_sheet

from . import plots
from .figures import WIDTH, to_svg
from .pictures import worst_false, worst_missed

#: Classes of a confusion matrix; of more, those that are confused most.
MAX_CONFUSION = 16


class Plot(NamedTuple):
    """A figure of a report.

    Attributes:
        title: Heading.
        svg: The figure.
        note: Sentence beneath.
        scroll: Width in pixels of a figure that scrolls in a box of its own, else 0.
        width: ``'double'`` for a figure as wide as two cards, else empty.
    """

    title: str
    svg: Markup
    note: str = ''
    scroll: int = 0
    width: str = ''


def make_plot(figure: Figure, title: str, path: Path, name: str, description: str, note: str = '',
              scroll: bool = False) -> Plot:
    """Save a figure as PNG and convert it for a page.

    Args:
        figure: Figure of Matplotlib.
        title: Heading.
        path: PNG file.
        name: Name of the figure, unique in the page.
        description: Text that stands for the figure where it is not seen.
        note: Sentence beneath.
        scroll: Whether the figure scrolls inside of its box on a phone, to be legible.
    """
    save_figure(figure, path)
    width = round(figure.get_size_inches()[0] * 72) if scroll else 0
    return Plot(title, to_svg(figure, name, description), note, width,
                'double' if width > 72 * WIDTH + 1 else '')


class DatasetSection:
    """The numbers and figures of a data set, as the template shows them.

    PNG files are written when the attributes that show them are first read.

    Args:
        name: Name of the data set.
        stem: Beginning of its file names and ids.
        analyses: Name of a run -> analysis of the data set in that run.
        folder: Folder of the PNG files.
        pictures: Number of false detections and of missed boxes of each run that are shown.
        classes: Number of classes that have a plot of their own: those with the most boxes.
    """

    def __init__(self, name: str, stem: str, analyses: Mapping[str, Analysis], folder: Path,
                 pictures: int = 12, classes: int = 24) -> None:
        self.name, self.stem, self.analyses, self.folder = name, stem, analyses, folder
        self.num_pictures, self.num_classes = pictures, classes
        self.first = next(iter(analyses.values()))
        self.several = len(analyses) > 1

    @cached_property
    def overview(self) -> dict[str, Any]:
        """Return average precision by run, and the size of the data set."""
        first, matches = self.first, self.first.matches
        kind = 'phrases' if first.truth.phrases else 'classes with boxes'
        count = len(set(zip(first.truth.image.tolist(), first.truth.labels.tolist()))) \
            if first.truth.phrases else len(first.shown_classes)
        rows = dict(
            AP=[a.matches.mean_ap() for a in self.analyses.values()],
            AP50=[a.matches.mean_ap(0.5) for a in self.analyses.values()],
            AP75=[a.matches.mean_ap(0.75) for a in self.analyses.values()])
        images = f'{len(first.result.images):,}'
        if len(first.result.images) < first.result.num_images:
            images += f' of {first.result.num_images:,}: the test was interrupted'
        facts = {'images': images, 'boxes': f'{int(matches.counted.sum()):,}', kind: f'{count:,}',
                 'annotations': first.result.ann_file}
        note = ''
        if first.truth.listed is not None:
            note = 'Federated annotations: AP is the fixed AP of LVIS.'
        elif first.truth.phrases:
            note = 'Every phrase of an image is a question of its own.'
        elif (empty := len(first.truth.classes) - count):
            note = f'{empty} {"class has" if empty == 1 else "classes have"} no box and no part.'
        return dict(head=['', *(self.analyses if self.several else ['percent'])], rows=rows,
                    facts=facts, note=note)

    @cached_property
    def plots(self) -> list[Plot]:
        """Draw the data set as a whole."""
        plots = [self._precision_recall()]
        if not self.first.truth.phrases:
            plots += [self._sizes(), self._frequencies(), self._over_boxes()]
        return [plot for plot in [*plots, self._calibration(), self._errors()] if plot]

    def _precision_recall(self) -> Plot | None:
        lines = {}
        for run, analysis in self.analyses.items():
            precision = analysis.matches.precision[analysis.shown_classes]
            if not len(precision):
                return None
            if self.several:
                lines[run] = precision[:, 0].mean(axis=0)
            else:
                lines = {'IoU 0.5': precision[:, 0].mean(axis=0),
                         'IoU 0.75': precision[:, 5].mean(axis=0),
                         'mean of 0.5 to 0.95': precision.mean(axis=(0, 1))}
        note = 'IoU 0.5, mean over classes.' if self.several else 'Mean over classes.'
        return self._figure('Precision and recall', 'pr', plots.precision_recall(lines),
                            '' if self.first.truth.phrases else note)

    def _sizes(self) -> Plot:
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

    def _frequencies(self) -> Plot | None:
        letters = self.first.truth.frequency
        if letters is None:
            return None
        counts = [letters.count(letter) for letter in FREQUENCIES]
        groups = [f'{word}\n{count:,}' for word, count in zip(FREQUENCIES.values(), counts)]
        values = {run: [100 * v for v in a.frequencies.values()]
                  for run, a in self.analyses.items()}
        return self._figure('AP by frequency', 'frequency', plots.group_bars(values, groups),
                            'How often a class is annotated in the training set. Beneath: '
                            'classes.')

    def _over_boxes(self) -> Plot | None:
        shown = self.first.shown_classes
        if len(shown) < 2:
            return None
        points = {run: (a.matches.boxes[shown], 100 * a.matches.ap[shown, 0])
                  for run, a in self.analyses.items()}
        return self._figure('AP by number of boxes', 'boxes', plots.ap_over_boxes(points),
                            'A dot for each class.')

    def _calibration(self) -> Plot:
        curves = {run: a.calibration for run, a in self.analyses.items()}
        errors = ', '.join((f'{run}: ' if self.several else '') + percent(c.error)
                           for run, c in curves.items())
        return self._figure('Calibration', 'calibration', plots.calibration(curves),
                            'On the dashed line a score says how often a box is right (IoU 0.5). '
                            f'Mean distance in percent: {errors}.')

    def _errors(self) -> Plot:
        values = {run: [a.errors.counts[kind] for kind in KINDS]
                  for run, a in self.analyses.items()}
        groups = [text.replace(' ', '\n') for text in KINDS.values()]
        note = ' '.join(
            (f'{run}: at' if self.several else 'At')
            + f' a score of {a.errors.threshold:.2f}, precision {percent(a.errors.precision)}, '
            f'recall {percent(a.errors.recall)}.' for run, a in self.analyses.items())
        return self._figure('Errors', 'errors',
                            plots.group_bars(values, groups, 'count', percent=False), note)

    @cached_property
    def confusions(self) -> list[dict[str, Any]]:
        """Draw the confusion matrix of each run and list its most frequent pairs."""
        if self.first.truth.phrases:
            return []
        found = []
        for index, (run, analysis) in enumerate(self.analyses.items()):
            labels = _most_confused(analysis)
            if len(labels) < 2:
                return []
            rows = [*labels, len(analysis.truth.classes)]
            figure = plots.confusion_matrix(analysis.errors.confusion[np.ix_(rows, rows)],
                                            [analysis.truth.classes[i] for i in labels])
            note = (f'At a score of {analysis.errors.threshold:.2f} and IoU 0.5; a box counts for '
                    'each name it was given.')
            if len(labels) < len(analysis.shown_classes):
                note += (f' The {len(labels)} of {len(analysis.shown_classes)} classes that are '
                         'confused most.')
            of_run = f': {run}' if self.several else ''
            found.append(dict(
                plot=self._figure(f'Confusion{of_run}', f'confusion_{index}' if self.several else
                                  'confusion', figure, note, scroll=True),
                title=f'Most frequent confusions{of_run}',
                pairs=[[a, b, f'{count:,}'] for a, b, count in top_confusions(
                    analysis.errors, analysis.truth.classes, 12)]))
        return found

    @cached_property
    def curves(self) -> dict[str, Any] | None:
        """Draw precision over recall of the classes with the most boxes."""
        shown, boxes = self.first.shown_classes, self.first.matches.boxes
        chosen = sorted(sorted(shown, key=lambda i: -boxes[i])[:self.num_classes])
        if self.first.truth.phrases or not chosen:
            return None
        classes = {self.first.truth.classes[i]: {
            run: a.matches.precision[i, 0] for run, a in self.analyses.items()} for i in chosen}
        save_figure(plots.precision_recall_grid(classes), self._png('pr_classes'))
        title = 'Precision and recall by class' if len(chosen) == len(shown) else \
            f'Precision and recall of the {len(chosen)} classes with the most boxes'
        return dict(title=title, classes=[
            dict(name=name, ap=[a.matches.class_ap(0.5)[label] for a in self.analyses.values()],
                 svg=to_svg(plots.precision_recall(lines, small=True), f'{self.stem}-pr-{label}',
                            f'precision and recall of {name}'))
            for label, (name, lines) in zip(chosen, classes.items())])

    @cached_property
    def classes(self) -> dict[str, Any] | None:
        """Return a row of numbers for each class, the best first."""
        if self.first.truth.phrases:
            return None
        shown, letters = self.first.shown_classes, self.first.truth.frequency
        head = ['class', 'boxes']
        for run in self.analyses:
            head += [f'AP {run}' if self.several else 'AP', f'AP50 {run}' if self.several else
                     'AP50']
        half = [a.matches.class_ap(0.5) for a in self.analyses.values()]
        rows = []
        for label in sorted(shown, key=lambda i: -np.nan_to_num(self.first.matches.ap[i, 0])):
            row = [self.first.truth.classes[label], f'{self.first.matches.boxes[label]:,}']
            for analysis, ap50 in zip(self.analyses.values(), half):
                row += [percent(analysis.matches.ap[label, 0]), percent(ap50[label])]
            rows.append([*row, FREQUENCIES[letters[label]]] if letters else row)
        return dict(title=f'All {len(shown)} classes', rows=rows,
                    head=[*head, *(['frequency'] if letters else [])])

    @property
    def pictures(self) -> Iterator[dict[str, Any]]:
        """Draw the worst errors of each run."""
        for index, (run, analysis) in enumerate(self.analyses.items()):
            for key, choose, title in (('false', worst_false, 'surest false detections'),
                                       ('missed', worst_missed, 'worst misses')):
                pictures = choose(analysis, self.num_pictures) if self.num_pictures else []
                if not pictures:
                    continue
                drawn = [p.sample.draw(title=p.text, max_side=640) for p in pictures]
                save_image(self._png(f'{key}_{index}' if self.several else key), make_sheet(drawn))
                yield dict(
                    title=f'{run}: {title}' if self.several else title.capitalize(),
                    others_grey=key == 'false', pictures=(
                        (picture_of(p.sample, p.text, max_side=560), p.text,
                         Path(p.sample.path).name) for p in pictures))

    def _figure(self, title: str, key: str, figure: Figure, note: str = '',
                scroll: bool = False) -> Plot:
        return make_plot(figure, title, self._png(key), f'{self.stem}-{key}',
                         f'{title}, {self.name}', note, scroll)

    def _png(self, key: str) -> Path:
        return self.folder / f'{self.stem}_{key}.png'


def file_stems(names: Sequence[str]) -> dict[str, str]:
    """Convert names of data sets to parts of file names and anchors, no two the same."""
    stems: dict[str, str] = {}
    for name in names:
        stem = whole = re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-').lower() or 'dataset'
        number = 2
        while whole in stems.values():
            whole, number = f'{stem}-{number}', number + 1
        stems[name] = whole
    return stems


def _most_confused(analysis: Analysis) -> list[int]:
    """Choose the labels of the confusion matrix, in order."""
    table = analysis.errors.confusion[:-1, :-1]
    mass = table.sum(axis=0) + table.sum(axis=1) - 2 * np.diag(table)
    shown = analysis.shown_classes
    chosen = shown[np.argsort(-mass[shown], kind='stable')][:MAX_CONFUSION]
    return sorted(chosen.tolist())
