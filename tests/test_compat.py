"""Each workaround is shown to be needed, where this environment can show it, and to work."""

import asyncio
import importlib.metadata
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from glip_mm import compat
from glip_mm.text.language_model_files import ASSETS

from . import forked
from .fresh import run

#: The forks mended what some workarounds are for; those do nothing there.
FORK = any(importlib.metadata.distributions(name='onedl-mmengine'))
needed = pytest.mark.skipif(FORK, reason='the forks need no such workaround')


# ---------------------------------------------------------------- load_tokenizer


def test_tokenizer_of_a_folder_with_a_vocabulary_alone():
    tokenizer = compat.load_tokenizer(str(ASSETS / 'bert-base-uncased'))
    encoded = tokenizer('A Striped circle', return_offsets_mapping=True)
    assert tokenizer.is_fast
    assert encoded['offset_mapping'] == [(0, 0), (0, 1), (2, 9), (10, 16), (0, 0)]
    assert encoded['input_ids'][0] == 101 and encoded['input_ids'][-1] == 102
    padded = tokenizer(['red', 'a red star'], padding='longest', max_length=4, truncation=True)
    assert [sum(row) for row in padded['attention_mask']] == [3, 4]


def test_tokenizer_of_an_empty_folder_asks_no_network(tmp_path):
    with pytest.raises((OSError, ValueError)):
        compat.load_tokenizer(str(tmp_path))


# ---------------------------------------------------------------- check_one_mmcv


def pretend(folder, *names):
    """A folder for the import path in which distributions of these names lie."""
    for name in names:
        info = folder / f"{name.replace('-', '_')}-9.9.dist-info"
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n')
    return f'import sys; sys.path.insert(0, {str(folder)!r}); '


def test_two_distributions_of_mmcv_are_refused(tmp_path):
    done = run(pretend(tmp_path, *compat.MMCV_DISTRIBUTIONS) + 'import glip_mm')
    names = ' '.join(compat.MMCV_DISTRIBUTIONS)
    assert done.returncode == 1
    assert 'are both installed and write to the same folder' in done.stderr
    assert f'pip uninstall -y {names} && pip install mmcv-lite' in done.stderr


def test_what_a_removal_left_of_mmcv_is_named(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text('__version__ = "2.1.0"')
    done = run(f'import sys; sys.path.insert(0, {str(tmp_path)!r}); import glip_mm')
    assert 'are missing, as after removing another MMCV: pip install --force' in done.stderr


# ---------------------------------------------------------------- stand_in_for_mmcv_ops

without_ops = pytest.mark.skipif(compat.has_mmcv_ops(), reason='MMCV has compiled operators here')


@without_ops
def test_mmdet_needs_the_operators_at_import():
    assert "No module named 'mmcv._ext'" in run(
        'from glip_mm import compat\n'
        'import sys; del sys.modules["mmcv._ext"]; import mmcv.ops').stderr


@without_ops
def test_mmdets_dynamic_head_runs_and_other_operators_say_what_is_missing():
    done = forked.run('-c', """
import glip_mm, torch, mmcv.utils
from mmdet.models.necks import DyHead
from mmcv.ops import RoIAlign, get_compiler_version
assert not mmcv.utils.ext_loader.check_ops_exist()
assert get_compiler_version().startswith('n/a')
maps = [torch.rand(1, 16, size, size, requires_grad=True) for size in (8, 4)]
sum(out.sum() for out in DyHead(16, 16, num_blocks=1)(maps)).backward()
assert all(map.grad.abs().sum() > 0 for map in maps)
try:
    RoIAlign(3)(maps[0], torch.tensor([[0, 0, 0, 4., 4.]]))
except NotImplementedError as error:
    print(error)
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the operator 'roi_align_forward' needs MMCV with compiled")


def test_compiled_operators_are_left_alone(monkeypatch):
    monkeypatch.setattr(compat, 'has_mmcv_ops', lambda: True)
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)
    compat.stand_in_for_mmcv_ops()
    assert 'mmcv._ext' not in sys.modules


# ---------------------------------------------------------------- import_mmdet

NEWER = 'import mmcv; mmcv.__version__ = "2.9.0"; '


@needed
def test_mmdet_refuses_a_newer_mmcv_by_itself():
    assert 'incompatible' in run(NEWER + 'import mmdet').stderr


@needed
def test_a_newer_mmcv_gets_a_warning():
    done = run(NEWER + 'import glip_mm, mmdet; print(mmcv.__version__, mmdet.__version__)')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('2.9.0 3.')
    assert 'mmcv 2.9.0 was never tried with MMDetection' in done.stderr


def test_the_usual_mmcv_gets_no_warning():
    assert run('import glip_mm').stderr == ''


# ---------------------------------------------------------------- allow_resume_checkpoints


class Line(BaseModel):

    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, mode='tensor'):
        return dict(loss=(self.slope * x - 2).square().mean())


def make_runner(folder, epochs, resume=False):
    return Runner(
        Line(), str(folder), train_dataloader=DataLoader([dict(x=torch.ones(1))] * 4),
        train_cfg=dict(by_epoch=True, max_epochs=epochs), resume=resume, log_level='ERROR',
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), experiment_name=f'line{epochs}',
        default_scope='glip_mm')


@pytest.fixture
def unknown_globals():
    """As in a process that never imported glip_mm."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(before)


def test_training_resumes(tmp_path):
    make_runner(tmp_path, 1).train()
    runner = make_runner(tmp_path, 2, resume=True)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 8)
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 8  # the history of both runs


@needed
def test_training_does_not_resume_without(tmp_path, unknown_globals):
    make_runner(tmp_path, 1).train()
    with pytest.raises(Exception, match='HistoryBuffer|weights_only|Weights only'):
        make_runner(tmp_path, 2, resume=True).train()


@pytest.mark.parametrize('dtype', ['float64', 'float32', 'int64', 'int32', 'bool'])
def test_log_history_is_read_safely(tmp_path, unknown_globals, dtype):
    history = HistoryBuffer()
    history._log_history = np.array([1, 0, 1], dtype=dtype)
    torch.save(dict(a=history, b=np.dtype(dtype).type(1)), tmp_path / 'a.pth')
    compat.allow_resume_checkpoints()
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['a'].data[0].tolist() == [1, 0, 1]
    assert loaded['b'] == 1


def test_arrays_of_the_other_numpy_are_read_safely(tmp_path, unknown_globals):
    torch.save(dict(a=np.arange(3)), tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    here, there = (b'numpy._core', b'numpy.core')
    data = (tmp_path / 'a.pth').read_bytes()
    if here not in data:
        here, there = there, here
    # protocol 2 names a global by text, so the name can be changed in place
    (tmp_path / 'b.pth').write_bytes(data.replace(here, there))
    compat.allow_resume_checkpoints()
    assert torch.load(tmp_path / 'b.pth', weights_only=True)['a'].tolist() == [0, 1, 2]


class Stranger:
    pass


def test_other_classes_stay_refused(tmp_path):
    torch.save(Stranger(), tmp_path / 'a.pth')
    compat.allow_resume_checkpoints()
    with pytest.raises(Exception, match='Stranger'):
        torch.load(tmp_path / 'a.pth')


class Reach:

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_a_history_names_nothing_but_its_statistics(tmp_path):
    torch.save(Reach(), tmp_path / 'a.pth')
    compat.allow_resume_checkpoints()
    with pytest.raises(Exception, match='not part of a log history'):
        torch.load(tmp_path / 'a.pth')


# ---------------------------------------------------------------- import_lvis


def test_lvis_evaluates_and_numpy_stays_as_it_is(tmp_path):
    pytest.importorskip('lvis')
    box = [10., 10., 20., 20.]
    truth = dict(
        images=[dict(id=1, height=64, width=64, not_exhaustive_category_ids=[],
                     neg_category_ids=[])],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=box, area=400., segmentation=[])],
        categories=[dict(id=1, name='star', frequency='f')])
    compat.import_lvis()
    from lvis import LVIS, LVISEval, LVISResults
    gt = LVIS.__new__(LVIS)
    gt.dataset = truth
    gt.logger = __import__('logging').getLogger('lvis')
    gt._create_index()
    found = LVISResults(gt, [dict(image_id=1, category_id=1, bbox=box, score=.9)])
    evaluation = LVISEval(gt, found, 'bbox')
    evaluation.run()
    assert evaluation.get_results()['AP'] == pytest.approx(1)
    assert not hasattr(np, 'float') or np.__version__ < '1.24'


# ---------------------------------------------------------------- replace_pkg_resources

WITHOUT = 'import sys; sys.modules["pkg_resources"] = None; from mmengine.config import Config; '
INHERIT = ('print(Config.fromstring(\'_base_ = "mmdet::_base_/default_runtime.py"\', '
           '".py").default_scope)')


@needed
def test_mmengine_needs_pkg_resources_by_itself():
    assert 'pkg_resources' in run(WITHOUT + INHERIT).stderr


def test_configs_inherit_from_mmdet_without_pkg_resources():
    done = run(WITHOUT + 'import glip_mm; ' + INHERIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == 'mmdet'


def test_configs_inherit_from_ours_by_name(tmp_path):
    from mmengine.config import Config
    mine = tmp_path / 'mine.py'
    mine.write_text("_base_ = 'glip_mm::_base_/schedules/nano.py'\ntrain_cfg = dict(max_epochs=9)")
    assert Config.fromfile(mine).train_cfg == dict(
        type='glip_mm.ResumableEpochLoop', max_epochs=9, val_interval=3)
    mine.write_text("_base_ = 'glip_mm::glip/no_such.py'")
    with pytest.raises(FileNotFoundError, match='configs/glip/no_such.py'):
        Config.fromfile(mine)


def test_installed_packages():
    assert compat.is_installed('mmdet') and compat.is_installed('pillow')
    assert not compat.is_installed('no-such-package')
    assert Path(compat.get_installed_path('mmdet'), '__init__.py').is_file()
    with pytest.raises(ModuleNotFoundError, match='no-such-package'):
        compat.get_installed_path('no-such-package')


def test_gradio_fetches_nothing(monkeypatch):
    class Error(Exception):
        pass

    parts = SimpleNamespace(async_ssrf_protected_download=None)
    monkeypatch.setitem(sys.modules, 'gradio', SimpleNamespace(Error=Error, processing_utils=parts))
    compat.let_gradio_fetch_nothing()
    with pytest.raises(Error, match='addresses are not fetched'):
        asyncio.run(parts.async_ssrf_protected_download('http://93.184.216.34/x.png', '/tmp'))


def test_one_process_scores_alone_among_others():
    from mmengine.dist import all_gather_object, get_world_size, utils

    asked = utils.is_distributed
    utils.is_distributed = lambda: True  # without a group: whoever asks it fails
    try:
        with pytest.raises((RuntimeError, ValueError)):
            get_world_size()
        with compat.single_process():
            assert get_world_size() == 1 and all_gather_object('mine') == ['mine']
        assert utils.is_distributed() is True
    finally:
        utils.is_distributed = asked
