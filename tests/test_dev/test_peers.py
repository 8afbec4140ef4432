"""Models beside ours: small ones of the same classes, each in a process of its own."""

import json

import pytest
import torch
import transformers
from transformers import AutoTokenizer

from dev.speed import peers
from dev.speed.peer_models import OURS, PEERS
from dev.speed.sides import language_folder

pytestmark = pytest.mark.skipif(transformers.__version__.startswith('4.'),
                                reason='the peers are those of transformers 5')


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(language_folder(tmp_path_factory.mktemp('bert')))


@pytest.mark.parametrize('name', PEERS)
def test_a_peer_looks_for_every_name(name, tokenizer):
    peer = PEERS[name]
    network = peer.build(True).eval()
    image = torch.rand(1, 3, 96, 96)
    chunks = peer.chunk(peers.vocabulary(90), tokenizer)
    assert [each for chunk in chunks for each in chunk] == peers.vocabulary(90)
    assert len(chunks) == (1 if peer.chunk.__name__ == '_whole' else 2)
    for chunk in chunks:
        arguments = peer.inputs(chunk, tokenizer, image)
        with torch.no_grad():
            found = network(**arguments)
        if 'Grounding' in name:
            assert len(chunk) < arguments['input_ids'].shape[1] <= found.logits.shape[-1] == 256
        else:
            logits = getattr(found, 'logits', None)
            logits = found.decoder_class_logits if logits is None else logits
            assert logits.shape[-1] == len(chunk)


def test_sizes():
    assert peers.sizes_of('Grounding DINO-T', False) == [OURS]
    assert peers.sizes_of('OWLv2-B/16', False) == [(960, 960), (800, 1328)]
    assert peers.sizes_of('OmDet-Turbo (Swin-T)', False) == [(640, 640), (800, 1312)]
    assert peers.sizes_of('GLIP-T (B)', False) == [OURS, (640, 640), (960, 960)]
    assert tuple(PEERS) == peers.MODELS[1:-1]


def test_figures_are_kept_and_the_rest_is_measured(tmp_path, capsys, monkeypatch):
    out = str(tmp_path / 'peers.json')
    args = ['--nano', '--runs', '1', '--out', out]
    assert peers.main([*args, '--models', 'OWLv2-B/16', '--names', '3']) == 0
    assert '| OWLv2-B/16 | 96 x 96 | 3 |' in capsys.readouterr().out
    asked = []

    def measured(args, model, size, counts):
        asked.append((model, counts))
        yield dict(names=counts[0], seconds=2., cpu_seconds=3., memory=4., exact=True, factor=5.)
        yield from (dict(names=n, error='Traceback\nno memory') for n in counts[1:])

    monkeypatch.setattr(peers, '_in_a_process', measured)
    models = ['OWLv2-B/16', 'Grounding DINO-T']
    assert peers.main([*args, '--models', *models, '--names', '3', '90', '120']) == 1
    assert asked == [('OWLv2-B/16', [90, 120]), ('Grounding DINO-T', [3, 90, 120])]
    text = capsys.readouterr().out
    assert '| 90 | 2 * | 3 * | 4 |' in text and '| 120 | failed: no memory |' in text
    assert len(json.loads((tmp_path / 'peers.json').read_text())['rows']) == 6


def test_a_child_that_dies_leaves_an_error(tmp_path):
    args = peers.parse_args(['--nano', '--runs', '1'])
    rows = list(peers._in_a_process(args, 'no such model', (96, 96), [3]))
    assert len(rows) == 1 and rows[0]['names'] == 3 and 'error' in rows[0]


@pytest.mark.parametrize('names', ['0', '5', '1300'])
def test_bad_numbers_of_names(names, capsys):
    with pytest.raises(SystemExit):
        peers.parse_args(['--names', names])
    assert '--names must be' in capsys.readouterr().err
