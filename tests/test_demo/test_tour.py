"""The notebook, executed from the first cell to the last with a tiny model."""

import os
from pathlib import Path

import pytest

from tests.test_finetuning.conftest import tiny  # noqa: F401

ROOT = Path(__file__).parents[2]
nbformat = pytest.importorskip('nbformat')
nbclient = pytest.importorskip('nbclient')
pytest.importorskip('ipykernel')


def test_the_tour(tiny, tmp_path, monkeypatch):  # noqa: F811
    notebook = nbformat.read(ROOT / 'demo' / 'glip_mm_tour.ipynb', as_version=4)
    nbformat.validate(notebook)
    config, weights = tiny
    from PIL import Image
    Image.new('RGB', (160, 120), (90, 120, 60)).save(tmp_path / 'photo.jpg')
    parameters = next(c for c in notebook.cells if 'parameters' in c.metadata.get('tags', ()))
    parameters.source += (f'\nMODEL, WEIGHTS, IMAGE = {config!r}, {weights!r}, '
                          f'{str(tmp_path / "photo.jpg")!r}\n')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    nbclient.NotebookClient(notebook, timeout=600, kernel_name='python3',
                            resources=dict(metadata=dict(path=str(tmp_path)))).execute()
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', ())]
    pictures = [o for o in outputs if 'image/png' in o.get('data', {})]
    text = '\n'.join(o.get('text', '') + o.get('data', {}).get('text/plain', '') for o in outputs)
    assert len(pictures) == 4
    assert 'everything required is there' in text
    assert "'set once': ['cat']" in text
    assert 'compared with PyTorch' in text and (tmp_path / 'work_dirs/tour/shapes.onnx').is_file()
    assert '| AP' in next(o['data']['text/markdown'] for o in outputs
                          if 'text/markdown' in o.get('data', {}))
