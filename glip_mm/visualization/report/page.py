"""Write the report: one HTML page, its figures as PNG files, and a summary for machines."""

import difflib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.logging import print_log
from tqdm import tqdm

from glip_mm.atomic_files import replacing, write_atomically
from glip_mm.evaluation.analysis.analysis import Analysis, analyse
from glip_mm.evaluation.analysis.results import Result, read_result
from glip_mm.visualization.pages import write_page

from . import plots
from .dataset_section import DatasetSection, Plot, file_stems, make_plot
from .metric_table import metric_table, run_cards
from .summary import summarise

#: Pictures of errors in the whole page, so that it stays small enough to be sent.
MAX_PICTURES = 240


def make_report(folders: Sequence[str | Path], out: str | Path,
                names: Sequence[str] | None = None, threshold: float | None = None,
                pictures: int = 12, classes: int = 24, progress: bool = True) -> Path:
    """Write a report on test runs, side by side if there are several.

    Args:
        folders: Work directories of ``tools/test.py``.
        out: Folder for ``index.html``, ``summary.json`` and ``figures/``.
        names: Names of the runs; default: their models, told apart by their folders.
        threshold: Score at which errors are counted; default: where F1 is best.
        pictures: Number of false detections and of missed boxes of each data set and run that
            are shown.
        classes: Number of classes of a data set that have a plot of their own.
        progress: Whether to show progress bars.

    Returns:
        The page.

    Raises:
        FileNotFoundError: If a folder has no ``metrics.json``.
        ValueError: If a folder's files can not be understood, or there are not as many names as
            folders.
    """
    if names is not None and len(names) != len(folders):
        raise ValueError(f'{len(names)} names were given for {len(folders)} results; give one for '
                         'each')
    out = Path(out)
    results = _tell_apart([read_result(folder) for folder in folders]) if names is None else \
        [read_result(folder, name) for folder, name in zip(folders, names)]
    analyses, problems = _analyse(results, threshold, progress)
    write_atomically(out / 'summary.json', json.dumps(
        summarise(results, analyses), indent=2, allow_nan=False).encode('utf-8'))
    datasets = list(dict.fromkeys(name for found in analyses for name in found))
    stems = file_stems(datasets)
    shown = sum(len(found) for found in analyses)
    pictures = min(pictures, max(2, MAX_PICTURES // 2 // max(shown, 1)))
    with replacing(out / 'index.html') as file:
        write_page(
            file, 'report.html', title=_title(results), stems=stems, runs=run_cards(results),
            metrics=metric_table(results), problems=problems,
            over_datasets=_over_datasets(results, analyses, datasets, out / 'figures'),
            # one after the other, while the page is written
            sections=(DatasetSection(
                name, stems[name], {r.name: a[name] for r, a in zip(results, analyses)
                                    if name in a}, out / 'figures', pictures, classes)
                for name in tqdm(datasets, desc='draw', leave=False, disable=not progress)),
            environments=[(r.name, r.environment) for r in results],
            configs=[(r.name, r.config) for r in results],
            differences=[_difference(results[0], other) for other in results[1:]])
    return out / 'index.html'


def _tell_apart(results: list[Result]) -> list[Result]:
    """Give runs of one name the names of their folders too."""
    names = [result.name for result in results]
    parts = [result.folder.resolve().parts for result in results]
    depth = 1
    while depth < 4 and len({p[-depth:] for p in parts}) < len(parts):
        depth += 1
    fields = [vars(result) for result in results]
    return [result if names.count(name) == 1 else
            Result(**{**own, 'name': f'{name} ({"/".join(path[-depth:])})'})
            for result, name, path, own in zip(results, names, parts, fields)]


def _analyse(results: Sequence[Result], threshold: float | None,
             progress: bool) -> tuple[list[dict[str, Analysis]], list[str]]:
    analyses, problems = [], []
    for result in results:
        found = {}
        for dataset in result.datasets:
            if not dataset.images:
                problems.append(f"'{dataset.name}' of {result.name} has no predictions")
                continue
            try:
                found[dataset.name] = analyse(dataset, threshold, progress)
            except (FileNotFoundError, ValueError) as error:
                # its metrics are still worth a page
                print_log(str(error), logger='current', level=logging.WARNING)
                problems.append(str(error))
        analyses.append(found)
    return analyses, problems


def _title(results: Sequence[Result]) -> str:
    benchmarks = list(dict.fromkeys(filter(None, (r.benchmark for r in results))))
    title = (' and '.join(dict.fromkeys(r.name for r in results)) if len(results) < 3
             else f'{len(results)} results')
    return f'{title} on {", ".join(benchmarks)}' if benchmarks else title


def _over_datasets(results: Sequence[Result], analyses: Sequence[Mapping[str, Analysis]],
                   datasets: Sequence[str], folder: Path) -> Plot | None:
    rows = [name for name in datasets
            if not next(a[name] for a in analyses if name in a).truth.phrases]
    if len(rows) < 2:
        return None
    values = {r.name: [100 * a[name].matches.mean_ap() if name in a else float('nan')
                       for name in rows] for r, a in zip(results, analyses)}
    return make_plot(plots.dataset_bars(values, rows), 'AP of each data set',
                     folder / 'datasets.png', 'datasets', 'average precision of each data set')


def _difference(one: Result, other: Result) -> tuple[str, list[str]]:
    return f'{one.name} against {other.name}', list(difflib.unified_diff(
        one.config.splitlines(), other.config.splitlines(), one.name, other.name, lineterm='',
        n=1))
