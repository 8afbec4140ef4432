"""Tables of which no spreadsheet runs a cell, wherever they are written."""

import csv
import importlib.util
import io

import pytest
from PIL import Image

from glip_mm.csv_text import csv_cells, csv_text
from glip_mm.datasets.converters import ImageSizes
from glip_mm.evaluation.metrics.odinw_metric import STATS, SuiteRow, suite_csv
from tests.forked import ROOT

#: Spreadsheets run these; the apostrophe would hide one.
NAMES = ('=1+1', '+a', '-a', '@SUM(1)', '\t=1', '\r=1', '\n=1', '＝1', "'=1", "'", '=a,"b"\r\nc')
PLAIN = ('a=1', 'cat', '', '-0.5', '+1e3', 'a\rb')


def cells(text):
    return list(csv.reader(io.StringIO(text, newline='')))


def test_cells():
    rows = [[name, 1, -.5, float('nan')] for name in NAMES + PLAIN]
    assert cells(csv_text(rows)) == [
        [f"'{name}" if name in NAMES else name, '1', '-0.500000', ''] for name in NAMES + PLAIN]
    assert [row[0] for row in csv_cells(io.StringIO(csv_text(rows), newline=''))] == [
        *NAMES, *PLAIN]
    assert csv_text([['a\udcff']]) == 'a\\udcff\n'  # of a folder whose name is not UTF-8
    assert csv_text([['a', 2], ['b', .25]]) == 'a,2\nb,0.250000\n'


def of_a_suite(folder):
    return suite_csv([SuiteRow(name, 1, 1, 1, **dict.fromkeys(STATS, -.5)) for name in NAMES])


def of_interpolated_weights(folder):
    path = ROOT / 'tools/misc/interpolate_weights.py'
    spec = importlib.util.spec_from_file_location('tool', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.write_results(folder, [-.5, 1.], {name: [.5, .25] for name in NAMES})
    return (folder / 'interpolation.csv').read_bytes().decode()


def of_image_sizes(folder):
    for name in NAMES:
        Image.new('RGB', (2, 3)).save(folder / name, 'png')
    sizes = ImageSizes(folder, folder / 'sizes')
    assert [sizes(name) for name in NAMES] == [(2, 3)] * len(NAMES)
    sizes.close()
    assert set(ImageSizes(folder, folder / 'sizes').known) == set(NAMES)
    return (folder / 'sizes').read_bytes().decode()


@pytest.mark.parametrize('written', [of_a_suite, of_interpolated_weights, of_image_sizes])
def test_every_table(written, tmp_path):
    found = {cell for row in cells(written(tmp_path)) for cell in row}
    assert {f"'{name}" for name in NAMES} <= found
    assert not [cell for cell in found if cell.startswith(tuple('=+@\t\r\n＝'))]


def test_no_other_writer():
    files = [path for folder in ('glip_mm', 'glip_mm_cli', 'tools', 'demo')
             for path in (ROOT / folder).rglob('*.py')]
    writers = ('csv.writer', 'DictWriter', 'to_csv(')
    assert [path.relative_to(ROOT).as_posix() for path in files
            if any(word in path.read_text() for word in writers)] == ['glip_mm/csv_text.py']
