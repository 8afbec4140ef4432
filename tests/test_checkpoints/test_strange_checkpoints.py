"""Checkpoints that are none end with a message, before anything is built or copied."""

import os

import pytest
import torch

from glip_mm.checkpoints import convert_state_dict, merge_adapters, read_checkpoint
from glip_mm.checkpoints.reading import check_checkpoint
from tools.misc import merge_lora
from tools.model_converters import convert_glip

W = torch.zeros(2, 2)
STRANGE = dict(
    empty={}, number_key={7: W}, tuple_key={(1, ): W}, text=dict(w='x'), nested=dict(a=dict(b=W)),
    list_of=[W], sparse=dict(w=W.to_sparse()), complex=dict(w=W.to(torch.complex64)),
    meta=dict(w=W.to('meta')), state=dict(state_dict=[W]), none=dict(state_dict=None),
    inflated=dict(w=torch.zeros(1).expand(1 << 40)),
    wrong_shape={'module.backbone.body.layers.0.downsample.reduction.weight': torch.zeros(3, 3),
                 'rpn.head.scales.0.scale': torch.zeros(7)},
    adapters={'a.lora_A.default.weight': torch.zeros(0, 2), 'a.lora_B.default.weight': W,
              'a.weight': W})


@pytest.mark.parametrize('name', STRANGE)
@pytest.mark.parametrize('tool, options', [
    (convert_glip, ['--to', 'official']), (convert_glip, []), (merge_lora, ['--alpha', '4']),
    (merge_lora, [])])
def test_tools(tmp_path, capsys, name, tool, options):
    torch.save(STRANGE[name], tmp_path / 'a.pth')
    status = tool.main([str(tmp_path / 'a.pth'), str(tmp_path / 'out.pth'), *options])
    if name == 'adapters' and tool is convert_glip and not options:
        return  # names are all that a conversion to ours looks at
    error = capsys.readouterr().err
    assert status == 1 and error.count('\n') == 1 and 'a.pth: ' in error and len(error) < 600
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('meta', [
    [1], 'x', dict(cfg='import os'), dict(cfg=7), dict(cfg='model = 3'), dict(cfg=dict(model=3))])
def test_configs_of_adapters(tmp_path, capsys, meta):
    torch.save(dict(state_dict=STRANGE['adapters'], meta=meta), tmp_path / 'a.pth')
    assert merge_lora.main([str(tmp_path / 'a.pth'), str(tmp_path / 'out.pth')]) == 1
    assert 'give' in capsys.readouterr().err


def test_errors_of_the_system_are_shown_in_full(tmp_path, capsys):
    for tool in (convert_glip, merge_lora):
        assert tool.main([str(tmp_path), str(tmp_path / 'out.pth')]) == 1
        assert str(tmp_path) in capsys.readouterr().err.split(': ', 1)[1]


def test_adapters_of_other_shapes():
    state = {**STRANGE['adapters'], 'a.lora_A.default.weight': torch.zeros(3, 2)}
    with pytest.raises(ValueError, match="adapter of 'a' has the shapes"):
        merge_adapters(state, 4.)


@pytest.mark.parametrize('content, resume, message', [
    (dict(state_dict=dict(w=W)), True, 'does not say at which iteration'),
    (dict(state_dict=dict(w=W), meta=dict(iter=-1, epoch=0)), True, 'does not say'),
    (dict(state_dict=dict(w=W), meta=[3]), True, 'does not say'),
    (dict(state_dict=dict(w=3)), False, "a.pth': no state dict found"),
    ([W], False, 'holds a list')])
def test_what_no_run_starts_from(tmp_path, content, resume, message):
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        check_checkpoint(tmp_path / 'a.pth', resume)


def test_what_runs_start_from(tmp_path):
    torch.save(dict(state_dict=dict(w=W), meta=dict(iter=3, epoch=1)), tmp_path / 'a.pth')
    check_checkpoint(tmp_path / 'a.pth', resume=True)
    torch.save(dict(w=W, p=torch.arange(9).expand(1, -1)), tmp_path / 'b.pth',
               _use_new_zipfile_serialization=False)
    check_checkpoint(tmp_path / 'b.pth')
    assert list(convert_state_dict(read_checkpoint(tmp_path / 'b.pth'))[0]) == ['w', 'p']


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes')
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'p.pth')
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / 'p.pth')
