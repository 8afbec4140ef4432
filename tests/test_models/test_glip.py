import copy
import pickle
from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import InstanceData

from glip_mm.models.detectors.prompt_batch import chunks_at_once
from glip_mm.text import Prompt

from .nano import build_nano, data_sample, image, losses_of, predict

NAMES = ('cat', 'red car', 'dining table')


@pytest.fixture
def eager(nano):
    """A nano model that finds something in noise."""
    nano.test_cfg = nano.test_cfg.replace(score_thr=1e-3)
    torch.nn.init.normal_(nano.bbox_head.text_projection.weight, std=3.0)
    return nano.eval()


def equal(a, b, atol=1e-4):
    assert a.label_names == b.label_names
    torch.testing.assert_close(a.scores, b.scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(a.bboxes, b.bboxes, rtol=0, atol=atol)


def test_all_modes(nano):
    samples = [data_sample(NAMES, [[10, 10, 50, 50]], [1])]
    data = nano.data_preprocessor(dict(inputs=[image()], data_samples=samples), False)
    levels = nano(**data, mode='tensor')
    assert [level.logits.shape for level in levels] == [
        (1, n, 9) for n in (8 * 12, 4 * 6, 2 * 3, 1 * 2, 1)]
    assert nano(**data, mode='loss')['loss_bbox'] > 0
    nano.eval()
    assert nano(**data, mode='predict')[0].pred_instances.labels.dtype == torch.long
    with pytest.raises(ValueError, match='needs data_samples'):
        nano(data['inputs'], mode='tensor')


@pytest.mark.parametrize('fuse', [True, False])
def test_every_parameter_gets_a_gradient(tiny_bert, fuse):
    model = build_nano(tiny_bert, fuse=fuse, mlm_head={}, prompt_table={}, contrastive_loss={},
                       inter_image_loss={})
    model.mlm_head.mask_probability = 0.9
    torch.manual_seed(0)
    losses = losses_of(model, [image(0), image(1)], [
        data_sample(NAMES, [[10, 10, 50, 50], [20, 5, 80, 60]], [1, 0]),
        data_sample(NAMES[:2], [[30, 10, 90, 50]], [1])])
    assert set(losses) == {'loss_region_word', 'loss_bbox', 'loss_centerness', 'loss_mlm',
                           'loss_contrastive_align', 'loss_inter_image'}
    sum(losses.values()).backward()
    silent = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    # the last text layer of a model without fusion does not exist; all else must learn
    assert silent == []


def test_a_batch_of_mixed_sizes_finds_what_its_images_have_alone(eager):
    sizes = [(64, 96), (96, 160), (60, 90), (96, 160)]
    images = [image(i, size) for i, size in enumerate(sizes)]

    def samples():
        return [data_sample(NAMES, size=size) for size in sizes]

    alone = [predict(eager, [x], [s])[0].pred_instances for x, s in zip(images, samples())]
    shapes = []
    eager.backbone.register_forward_pre_hook(lambda _, args: shapes.append(list(args[0].shape)))
    for found in (predict(eager, images, samples()),
                  eager.val_step(dict(inputs=images, data_samples=samples()))):
        assert len(found) == 4 and len(found[0].pred_instances) > 10
        for sample, single in zip(found, alone):
            equal(sample.pred_instances, single)
    assert shapes == [[2, 3, 64, 96], [2, 3, 96, 160]] * 2
    shapes.clear()
    eager.test_cfg = eager.test_cfg.replace(mix_sizes=True)
    mixed = predict(eager, images, samples())[0].pred_instances
    assert shapes == [[4, 3, 96, 160]]
    assert len(mixed) != len(alone[0]) or not torch.allclose(
        mixed.scores, alone[0].scores, atol=1e-5)


def test_training_remembers_no_prompts_that_never_recur(nano):
    from glip_mm.models.detectors.prompt_batch import TRAINING_CACHE_SIZE
    fixed = Prompt.from_names(['cat'])
    first = nano.prompts.token_map(fixed)
    for i in range(200):
        nano.prompts.token_map(Prompt.from_names([f'drawn {i}']))
        assert nano.prompts.token_map(fixed) is first
    assert len(nano.prompts._cache) == TRAINING_CACHE_SIZE
    with torch.no_grad():  # a vocabulary in chunks stays whole
        for i in range(200):
            nano.prompts.token_map(Prompt.from_names([f'chunk {i}']))
    assert len(nano.prompts._cache) > 200


def test_images_without_boxes_train(nano):
    with_box = data_sample(NAMES, [[10, 10, 50, 50]], [1])
    empty = data_sample(NAMES)
    both = losses_of(nano, [image(0), image(1)], [with_box, empty])
    assert all(v.isfinite() for v in both.values())
    only_empty = losses_of(nano, [image(1), image(2)], [empty, empty])
    assert only_empty['loss_bbox'] == 0 and only_empty['loss_centerness'] == 0
    assert only_empty['loss_region_word'] > 0
    sum(only_empty.values()).backward()
    assert all(p.grad.isfinite().all() for p in nano.parameters() if p.grad is not None)


def test_label_outside_the_prompt_is_an_error(nano):
    with pytest.raises(ValueError, match='a.jpg has label 3 but its prompt has 3 entities'):
        losses_of(nano, [image()],
                  [data_sample(NAMES, [[10, 10, 50, 50]], [3], img_path='a.jpg')])


def test_prompt_object_caption_and_names_mean_the_same(eager):
    caption = 'cat. red car. dining table'
    spans = [[[0, 3]], [[5, 12]], [[14, 26]]]
    by_names = data_sample(NAMES)
    by_spans = data_sample(caption, tokens_positive=spans)
    by_prompt = data_sample(None, prompt=Prompt.from_caption(caption, spans))
    by_entities = data_sample(caption, custom_entities=True)
    first, *others = [predict(eager, [image()], [s])[0].pred_instances
                      for s in (by_names, by_spans, by_prompt, by_entities)]
    assert len(first) > 0
    for other in others:
        equal(first, other)


def test_batch_equals_single_with_different_prompts(eager):
    texts = [NAMES, ('dog',), tuple(f'thing number {i}' for i in range(30))]
    single = [predict(eager, [image(i)], [data_sample(t)])[0].pred_instances
              for i, t in enumerate(texts)]
    batch = predict(eager, [image(i) for i in range(3)], [data_sample(t) for t in texts])
    for one, many in zip(single, batch):
        assert len(one) > 0
        equal(one, many.pred_instances)


def test_chunks_are_the_prompts_of_their_classes(eager):
    names = tuple(f'thing number {i}' for i in range(10))
    eager.test_cfg = eager.test_cfg.replace(chunked_size=4)
    whole = predict(eager, [image()], [data_sample(names)])[0].pred_instances
    parts = [predict(eager, [image()], [data_sample(names[i:i + 4])])[0].pred_instances
             for i in (0, 4, 8)]
    expected = InstanceData.cat(parts)
    assert len(whole) == len(expected) > 100  # each chunk has its own budget
    order = expected.scores.argsort(descending=True, stable=True)
    equal(whole, expected[order])
    assert (whole.scores[:-1] >= whole.scores[1:]).all()
    assert [names[i] for i in whole.labels] == whole.label_names


def test_long_vocabulary_is_split_by_tokens_and_encodes_the_image_once(eager, monkeypatch):
    names = tuple(f'thing number {i}' for i in range(200))
    calls = []
    original = eager.backbone.forward
    monkeypatch.setattr(eager.backbone, 'forward', lambda x: calls.append(1) or original(x))
    result = predict(eager, [image()], [data_sample(names)])[0].pred_instances
    assert len(calls) == 1
    assert result.labels.max() > 100
    with pytest.raises(ValueError, match='by itself'):
        predict(eager, [image()], [data_sample(('cat', 'word ' * 300))])


def test_many_prompts_to_an_image_that_is_encoded_once(eager):
    """Alone, or as a batch of the same pyramid, each prompt finds what ``predict`` finds."""
    prompts = [NAMES, ('cat asleep', 'car', 'table'), ('dog', )]
    expected = [predict(eager, [image()], [data_sample(p)])[0].pred_instances for p in prompts]
    inputs = eager.data_preprocessor(
        dict(inputs=[image()], data_samples=[data_sample(p) for p in prompts]), False)
    with torch.no_grad():
        feats = eager.extract_feat(inputs['inputs'])
        together = eager.predict_from_feats([x.expand(3, -1, -1, -1) for x in feats],
                                            inputs['data_samples'])
        alone = [eager.predict_from_feats(feats, [data_sample(p)])[0] for p in prompts]
    for one, other, wanted in zip(together, alone, expected):
        equal(one.pred_instances, wanted)
        equal(other.pred_instances, wanted)


def test_name_without_tokens_scores_nothing(eager):
    eager.test_cfg = eager.test_cfg.replace(score_thr=0.0)
    result = predict(eager, [image()], [data_sample((' ', 'cat'))])[0].pred_instances
    assert set(result.label_names) == {'cat'}
    assert result.scores.isfinite().all()


def test_boxes_return_to_the_original_frame(eager):
    sample = data_sample(NAMES)
    plain = predict(eager, [image()], [sample])[0].pred_instances
    scaled = data_sample(NAMES)
    scaled.set_metainfo(dict(scale_factor=(2.0, 0.5)))
    half = predict(eager, [image()], [scaled])[0].pred_instances
    inclusive = plain.bboxes - torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(half.bboxes - torch.tensor([0, 0, 1, 1]),
                               inclusive / torch.tensor([2, 0.5, 2, 0.5]))
    assert plain.bboxes[:, 2].max() <= 96 and plain.bboxes.min() >= 0


def test_the_last_pixel_is_left_out_where_a_protocol_says_so(eager):
    sample = data_sample(NAMES)
    with_it = predict(eager, [image()], [sample])[0].pred_instances.bboxes
    eager.test_cfg = eager.test_cfg.replace(last_pixel=False)
    without = predict(eager, [image()], [data_sample(NAMES)])[0].pred_instances.bboxes
    assert len(with_it)
    assert torch.equal(with_it - without, torch.tensor([[0., 0, 1, 1]]).expand_as(without))


@pytest.mark.parametrize('batch', [1, 3, 100])
def test_chunks_in_batches_of_another_size(eager, batch):
    names = tuple(f'thing number {i}' for i in range(10))
    eager.test_cfg = eager.test_cfg.replace(chunked_size=2)
    inputs = [image(0), image(1)], [data_sample(names), data_sample(names[:5])]
    wanted = predict(eager, *inputs)
    eager.test_cfg = eager.test_cfg.replace(chunk_batch=batch)
    for a, b in zip(wanted, predict(eager, *inputs)):
        assert len(a.pred_instances) > 40
        equal(a.pred_instances, b.pred_instances)


def test_chunks_are_merged_as_the_config_says(eager):
    eager.test_cfg = eager.test_cfg.replace(chunked_size=1)
    every = predict(eager, [image()], [data_sample(NAMES)])[0].pred_instances
    eager.test_cfg = eager.test_cfg.replace(chunk_merge=dict(max_per_img=5))
    best = predict(eager, [image()], [data_sample(NAMES)])[0].pred_instances
    assert len(every) > 5 and torch.equal(best.scores, every.scores[:5])


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_trains_without_nan(nano, dtype):
    samples = [data_sample(NAMES, [[10, 10, 50, 50]], [1]), data_sample(NAMES)]
    with torch.autocast('cpu', dtype=dtype):
        losses = losses_of(nano, [image(0), image(1)], samples)
    assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in nano.parameters() if p.grad is not None)
    exact = losses_of(nano.eval(), [image(0), image(1)], samples)
    with torch.autocast('cpu', dtype=dtype):
        close = losses_of(nano, [image(0), image(1)], samples)
    for key, value in exact.items():
        assert close[key].item() == pytest.approx(value.item(), rel=0.05)


def test_overfits_one_image(tiny_bert):
    model = build_nano(tiny_bert)
    model.train()
    sample = data_sample(('cat', 'dog'), [[8, 8, 56, 56], [50, 20, 92, 60]], [0, 1])
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    first = None
    for _ in range(60):
        losses = losses_of(model, [image()] * 2, [sample] * 2)
        total = sum(losses.values())
        first = first or total.item()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert total.item() < 0.4 * first


def test_masking_stays_within_entities_that_have_boxes(tiny_bert):
    model = build_nano(tiny_bert, mlm_head=dict(mask_probability=1.0))
    prompt = Prompt.from_names(NAMES)
    sample = data_sample(NAMES, [[10, 10, 50, 50]], [1])
    ids, mask, labels = model.mask_text([prompt], [sample])
    learned = (labels[0] != -100).nonzero().squeeze(1).tolist()
    assert learned == [3, 4]  # 'red', 'car' of '[CLS] cat . red car . dining table [SEP]'
    plain = model.language_model.tokenize([prompt.caption]).input_ids
    assert torch.equal(ids[0, [0, 1, 2, 5, 6, 7, 8]], plain[0, [0, 1, 2, 5, 6, 7, 8]])
    off = data_sample(NAMES, [[10, 10, 50, 50]], [1], greenlight_spans=None)
    ids, mask, labels = model.mask_text([prompt], [off])
    assert (labels == -100).all()
    assert torch.equal(ids, plain)
    torch.manual_seed(3)
    first = model.mask_text([prompt], [sample])
    torch.manual_seed(3)
    assert all(torch.equal(a, b) for a, b in zip(first, model.mask_text([prompt], [sample])))


def test_a_caption_of_another_image_trains_without_entities(tiny_bert):
    model = build_nano(tiny_bert, mlm_head=dict(mask_probability=1.0))
    sample = data_sample('', prompt=Prompt('two dogs play', ()), greenlight_spans=[])
    losses = losses_of(model, [image()], [sample])
    assert losses['loss_region_word'] > 0 and losses['loss_mlm'] == 0
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_model_can_be_copied_and_its_state_pickled(nano):
    import copy
    twin = copy.deepcopy(nano)
    assert twin.prompts.language_model is twin.language_model
    assert pickle.dumps(nano.state_dict())


def test_mmdet_scope_builds_the_same_model(tiny_bert):
    from mmdet.registry import MODELS as MMDET_MODELS
    from mmengine.registry import DefaultScope

    from .nano import nano_config
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MMDET_MODELS.build(nano_config(tiny_bert))
    assert type(model).__module__ == 'glip_mm.models.detectors.glip'
    assert type(model.backbone).__module__ == 'mmdet.models.backbones.resnet'


def test_the_number_of_chunks_at_once_depends_on_no_other_process(monkeypatch):
    class OnGPU(torch.Tensor):
        device = torch.device('cuda')
    feats = [torch.zeros(2, 256, 100, 100).as_subclass(OnGPU)]

    def free(device=None):
        raise AssertionError('the free memory changes from run to run')
    monkeypatch.setattr(torch.cuda, 'mem_get_info', free)
    monkeypatch.setattr(torch.cuda, 'get_device_properties',
                        lambda device: SimpleNamespace(total_memory=16 << 30))
    # 16 copies of 10 MB each
    assert chunks_at_once(feats) == (4 << 30) // (16 * 256 * 100 * 100 * 4) == 26


def test_a_long_vocabulary_costs_no_list_of_names_for_each_detection(eager, monkeypatch):
    names = tuple(f'thing number {i}' for i in range(60))
    eager.test_cfg = eager.test_cfg.replace(chunked_size=4)
    compared, listed = [], []
    compare, list_names = eager.language_model.forget_if_changed, Prompt.names.fget
    monkeypatch.setattr(eager.language_model, 'forget_if_changed',
                        lambda *args, **kwargs: (compared.append(1), compare(*args, **kwargs)))
    monkeypatch.setattr(Prompt, 'names',
                        property(lambda self: (listed.append(1), list_names(self))[1]))
    found = predict(eager, [image()], [data_sample(names)])[0].pred_instances
    assert len(found) > 100 and len(listed) == len(compared) == 1
    assert found.label_names == [names[label] for label in found.labels]
    # weights that change between two predictions are noticed all the same
    embeddings = eager.language_model.encoder.embeddings.word_embeddings.weight
    embeddings.data.copy_(embeddings.flip(0))
    other = predict(eager, [image()], [data_sample(names)])[0].pred_instances
    assert len(other) != len(found) or not torch.equal(other.scores, found.scores)


def test_another_language_model_is_used_from_then_on(tiny_bert):
    model = build_nano(tiny_bert).eval()
    with torch.no_grad():
        before = model.prompts.encode([Prompt.from_names(['cat'])]).hidden
        other = copy.deepcopy(model.language_model)
        for weight in other.parameters():
            weight.zero_()
        model.language_model = other
        assert not torch.equal(model.prompts.encode([Prompt.from_names(['cat'])]).hidden, before)
