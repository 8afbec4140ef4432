"""The benchmark beside MMDetection's GLIP, at a size that shows only whether it works."""

import json

import pytest
import torch
from torch import nn

from dev.speed import __main__ as tool
from dev.speed import agreement, ceilings, memory, session, sides, stages
from dev.speed import benchmark_report as report
from dev.speed import weights as seeded
from dev.speed.cases import COCO, Case, caption_names, long_vocabulary, make_samples
from glip_mm.checkpoints import convert_state_dict

SIZE = (96, 160)
ARGS = ['--nano', '--size', *map(str, SIZE), '--runs', '1', '--warmup', '0', '--device', 'cpu',
        '--names', '90']


def port_works():
    try:
        sides.check_port()
    except ImportError:
        return False
    return True


needs_port = pytest.mark.skipif(
    not port_works(), reason="MMDetection's models were imported before dev.speed.port mended them")


@pytest.fixture(scope='module')
def nano():
    """Ours alone."""
    return session.Session('glip_t_b', session.Settings(nano=True, ours_only=True, runs=1))


@pytest.fixture(scope='module')
def both():
    """Both sides with the same weights."""
    return session.Session('glip_t_b', session.Settings(
        nano=True, runs=1, warmup=0, skip=session.EXTRAS))


CEILINGS = dict(flops=1e9, bytes=1e9)


@pytest.mark.parametrize('model', ['glip_t_a', 'glip_t_b'])
def test_weights_survive_the_other_naming(model, tmp_path):
    language = sides.language_folder(tmp_path, nano=True)
    state = sides.build_ours(model, language, nano=True).state_dict()
    theirs, _ = convert_state_dict(state, 'mmdet')
    assert any(k.startswith('bbox_head.head.dyhead_tower.') for k in theirs)
    back, _ = convert_state_dict(theirs, 'ours')
    assert set(back) == set(state)
    assert all(torch.equal(back[k], state[k]) for k in state)


def test_weights_depend_on_names_alone(nano):
    before = {k: v.clone() for k, v in nano.ours.named_parameters()}
    torch.manual_seed(7)
    for parameter in nano.ours.parameters():
        parameter.data.normal_()
    seeded.seed_weights(nano.ours)
    assert all(torch.equal(v, before[k]) for k, v in nano.ours.named_parameters())


def test_bias_gives_the_wanted_candidates(nano):
    case = Case('coco80', 1, SIZE)
    nano.set_bias(nano.choose_bias(case))
    runner = nano.runner('ours', case)
    runner.prepare()
    settings = nano.ours.test_cfg
    nano.ours.test_cfg = settings.replace(**agreement._ALL_CANDIDATES[0])
    try:
        found = len(runner()[0]['labels'])
    finally:
        nano.ours.test_cfg = settings
    assert 550 <= found <= 650


def test_prompts(nano):
    assert len(COCO) == 80 and len(set(long_vocabulary(1203))) == 1203
    with pytest.raises(ValueError, match='--names is 2000'):
        long_vocabulary(2000)
    for tokens in (17, 100, 255, 256):
        caption = '. '.join(caption_names(tokens, nano.count_tokens))
        assert nano.count_tokens([caption]) == [tokens - 2]
    # real LVIS prompts of 40 names have about 150 tokens
    chunk = '. '.join(long_vocabulary(1203)[:40])
    assert 120 <= nano.count_tokens([chunk])[0] <= 180
    samples = make_samples(Case('train', 2, SIZE), nano.count_tokens)
    assert [len(s.gt_instances) for s in samples] == [10, 10]
    assert samples[0].gt_instances.bboxes[:, 2].max() <= SIZE[1]


def detections(n=6):
    generator = torch.Generator().manual_seed(0)
    return dict(boxes=torch.rand((n, 4), generator=generator) * 50, labels=torch.arange(n) % 3,
                scores=torch.rand(n, generator=generator))


def test_detections_are_compared_as_sets():
    one = detections()
    other = {k: v.flip(0).clone() for k, v in one.items()}
    tolerances = agreement.TOLERANCES['float32']
    found = agreement.compare_detections([one], [other], tolerances)
    assert found['partners'] == 6 and found['unmatched'] == 0
    for key, change in (('scores', 2e-4), ('boxes', 0.1), ('labels', 1)):
        changed = {k: v.clone() for k, v in other.items()}
        changed[key][0] += change
        found = agreement.compare_detections([one], [changed], tolerances)
        assert found['partners'] == 5 and found['unmatched'] == pytest.approx(1 / 6), key
    twice = {k: torch.cat((v, v[:1])) for k, v in other.items()}
    found = agreement.compare_detections([twice], [one], tolerances)
    assert found['partners'] == 6 and found['detections'] == [7, 6]


def test_randomness_comes_back(nano):
    modules = [m for m in nano.ours.modules() if isinstance(m, nn.Dropout)]
    before = [m.p for m in modules]
    with agreement.without_randomness(nano.ours):
        assert not any(m.p for m in modules)
    assert [m.p for m in modules] == before and any(before)


def test_stages_leave_out_what_is_inside(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(stages.time, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(stages.time, 'process_time', lambda: 2 * now[0])

    class Part:
        def outer(self):
            now[0] += 1
            self.inner()
            now[0] += 2

        def inner(self):
            now[0] += 4

    part = Part()

    def run():
        part.outer()
        now[0] += 8

    parts = [(part, 'outer', 'head'), (part, 'inner', 'text')]
    clock = stages.split(run, parts, lambda: None)
    assert [clock.seconds[s] for s in ('head', 'text', 'rest')] == [3, 4, 8]
    assert [clock.cpu_seconds[s] for s in ('head', 'text', 'rest')] == [6, 8, 16]
    assert not vars(part)


def test_costs_of_known_operations():
    from mmcv.ops import modulated_deform_conv2d

    from glip_mm.compat import has_mmcv_ops
    a, b = torch.zeros(8, 16), torch.zeros(16, 4)
    costs = ceilings.count_costs(lambda: a @ b, dict(flops=1e3, bytes=1e12))
    assert costs['flops'] == 2 * 8 * 16 * 4
    assert costs['bytes'] == 4 * (8 * 16 + 16 * 4 + 8 * 4)
    assert costs['bound'] == costs['matrix_bound'] == pytest.approx(1.024)
    x = torch.zeros(2, 4, 5, 5)
    offset, mask = torch.zeros(2, 18, 5, 5), torch.zeros(2, 9, 5, 5)
    weight, bias = torch.zeros(6, 4, 3, 3, requires_grad=True), torch.zeros(6)

    def deform():
        return modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1, 1, 1, 1)

    once = 2 * 2 * 25 * 6 * 4 * 9
    assert ceilings.count_costs(deform, CEILINGS)['flops'] == once
    # what stands in for the compiled operator multiplies once more in its backward pass
    passes = 3 if has_mmcv_ops() else 4
    assert ceilings.count_costs(lambda: deform().sum().backward(),
                                CEILINGS)['flops'] == passes * once


def test_peak_memory_is_that_of_the_run():
    class Allocates:
        device, model = 'cpu', nn.Identity()

        def prepare(self):
            pass

        def __call__(self):
            return float(torch.ones(64 * memory.MIB // 4).sum())

    found = memory.peak_of(Allocates())
    if not found['exact']:
        pytest.skip('this kernel does not reset the peak')
    assert 60 < found['run'] < 100
    assert found['peak'] == pytest.approx(found['before'] + found['run'])


def test_memory_order(nano):
    order = dict(model='glip_t_b', side='ours', case=Case('names3', 1, SIZE)._asdict(), bias=-4.0,
                 threads=torch.get_num_threads(), settings=nano.settings._asdict())
    found = session.measure_memory(json.dumps(order))
    assert found['peak'] >= found['before'] > 0


@pytest.mark.slow
def test_memory_in_a_process_of_its_own(nano):
    found = nano._memory('ours', Case('names3', 1, SIZE), -4.0)
    assert found['peak'] >= found['before'] > 0


def test_ours_only(tmp_path, capsys):
    out = tmp_path / 'speed.json'
    args = [*ARGS, '--ours-only', '--skip', 'memory', '--out', str(out)]
    assert tool.main([*args, '--work', 'names3', 'lvis1203', 'train']) == 0
    record = json.loads(out.read_text())
    assert record['schema'] == report.SCHEMA
    assert set(record) == {'schema', 'command', 'machine', 'versions', 'settings', 'ceilings',
                           'results'}
    assert {'torch', 'mmdet', 'transformers'} <= set(record['versions'])
    assert {'mmcv', 'mmcv-lite'} & set(record['versions'])
    assert min(record['ceilings'].values()) > 0
    assert [r['work'] for r in record['results']] == ['names3', 'lvis1203', 'train']
    for result in record['results']:
        side = result['sides']['ours']
        assert list(side) == ['seconds', 'cpu_seconds', 'stages', 'cpu_stages', 'costs']
        assert len(side['seconds']['runs']) == 1
        assert tuple(side['stages']) == stages.STAGES
        # every stage was entered; prompts of a test may come from the cache
        assert all(side['stages'][s] > 0 for s in ('backbone', 'neck', 'text', 'fusion',
                                                   'dynamic conv', 'head', 'rest'))
        assert side['costs']['flops'] > 0 and side['costs']['roofline'] > 0
        assert 'ratio' not in result
    text = capsys.readouterr().out
    assert '| glip_t_b | 3 names, batch 1, 96 x 160 |' in text and 'python' in text
    earlier = json.loads(out.read_text())
    earlier['results'][0]['sides']['ours']['seconds']['median'] *= 3
    rows = report.against(record, dict(earlier, results=earlier['results'][:1])).splitlines()
    assert len(rows) == 3 and rows[2].endswith('| 3.00 |')


def test_without_the_port(monkeypatch, capsys):
    from mmdet.models.utils import vlfuse_helper
    monkeypatch.setattr(vlfuse_helper, 'BertConfig', None)
    assert tool.main(ARGS) == 2
    assert '--ours-only' in capsys.readouterr().err


@pytest.mark.parametrize('changed', [('--runs', '0'), ('--batch', '0')])
def test_bad_arguments(changed, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args([*ARGS, *changed])
    assert changed[0] in capsys.readouterr().err


@needs_port
@pytest.mark.parametrize('work', ['coco80', 'lvis1203', 'train'])
def test_both_sides_agree_and_are_compared(both, work):
    result = both.measure(Case(work, 2, SIZE, names=90), CEILINGS)
    found = result['agreement']
    if work == 'train':
        assert found['loss_difference'] < 1e-4
    else:
        assert found['unmatched'] <= 0.01 and found['detections'][0] > 500
        assert found['box_difference'] < 0.01
    assert result['ratio']['seconds']['median'] > 0


@needs_port
def test_without_fusion_too():
    run = session.Session('glip_t_a', session.Settings(nano=True, runs=1, warmup=0,
                                                       skip=('costs', 'memory')))
    result = run.measure(Case('names3', 1, SIZE), CEILINGS)
    assert result['agreement']['unmatched'] <= 0.01
    assert result['sides']['theirs']['stages']['dynamic conv'] > 0


@needs_port
@pytest.mark.parametrize('work', ['names3', 'train'])
def test_no_times_without_agreement(both, work, monkeypatch):
    monkeypatch.setattr(session, 'interleave', lambda *args: pytest.fail('timed all the same'))
    weight = both.sides['theirs'].bbox_head.head.bbox_pred.weight
    copy = session.copy_weights

    def copy_and_change(ours, theirs):
        copy(ours, theirs)
        weight.data[:2] *= 1.05

    monkeypatch.setattr(session, 'copy_weights', copy_and_change)
    with pytest.raises(agreement.Disagreement, match='do not agree'):
        both.measure(Case(work, 1, SIZE), CEILINGS)
