"""A text for each class: against the plain formula, and whatever stands beside it."""

import json

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from glip_mm.text import Prompt

from .nano import build_nano, data_sample, image, losses_of

NAMES = ('cat', 'red_car', 'dining table', 'jetski')
#: Of an image of 64 x 96 pixels on five levels.
ANCHORS = 96 + 24 + 6 + 2 + 1
DEFINITIONS = {'cat': 'a small animal that purrs', 'red_car': ['it has wheels', 'it is red'],
               'dining table': None}
TEXTS = ['cat: a small animal that purrs', 'red car: it has wheels it is red', 'dining table',
         'jetski']


@pytest.fixture
def knowledge(tmp_path):
    path = tmp_path / 'knowledge.json'
    path.write_text(json.dumps(DEFINITIONS))
    return str(path)


def build(tiny_bert, fuse=False, test_cfg=None, model_options=None, **class_texts):
    """A nano model that finds every anchor, without a budget that classes would share."""
    model = build_nano(tiny_bert, fuse=fuse, class_texts=class_texts, test_cfg=test_cfg or dict(
        score_thr=0, nms_pre=100_000, iou_threshold=None, max_per_img=-1), **model_options or {})
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=3.0)
    return model.eval()


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, text, *args: said.append(text),
                        raising=False)
    return said


def found(model, images, *names, **more):
    data = dict(inputs=images, data_samples=[data_sample(n, **more) for n in names])
    with torch.no_grad():
        return [sample.pred_instances for sample in model.test_step(data)]


def of_class(result, name):
    """Boxes and scores of one class, best first."""
    kept = torch.tensor([n == name for n in result.label_names], dtype=torch.bool)
    return result.bboxes[kept], result.scores[kept]


def formula(model, texts, aggregate):
    """One call of BERT for each text, its tokens aggregated, ``[T, D]``."""
    vectors = []
    for text in texts:
        tokens = model.language_model.tokenizer(text, return_tensors='pt')
        words = model.language_model.encoder(
            input_ids=tokens['input_ids'],
            attention_mask=tokens['attention_mask']).last_hidden_state[0]
        vectors.append(words[0] if aggregate == 'first' else words.mean(dim=0))
    return torch.stack(vectors)


@torch.no_grad()
@pytest.mark.parametrize('aggregate', ['first', 'mean'])
def test_equals_the_plain_formula(tiny_bert, knowledge, aggregate):
    model = build(tiny_bert, knowledge=knowledge, aggregate=aggregate, batch_size=2)
    data = model.data_preprocessor(
        dict(inputs=[image(0), image(1)], data_samples=[data_sample(NAMES)] * 2), False)
    levels = model(**data, mode='tensor')
    text = F.normalize(formula(model, [*TEXTS, ''], aggregate), dim=-1)
    head = model.bbox_head
    tower = model.fusion_neck(model.extract_feat(data['inputs']), None)[0]
    for level, maps in zip(levels, tower):
        visual = maps.flatten(2).transpose(1, 2)
        wanted = (visual @ head.text_projection(text / 2).T / head.log_scale.exp()
                  + text @ head.bias_lang + head.bias0)
        assert level.logits.shape[-1] == len(NAMES) + 1  # "no object" is the last
        torch.testing.assert_close(level.logits, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_text_of_the_head(tiny_bert, knowledge):
    model = build(tiny_bert, knowledge=knowledge)
    prompts = [Prompt.from_names(NAMES), Prompt.from_names(['cat', ' '])]
    text = model.encode_text(prompts)
    assert text.embedded.shape == (2, 5, 32)
    assert text.mask.tolist() == [[True] * 4 + [False], [True] + [False] * 4]
    torch.testing.assert_close(text.embedded[1, 1], text.embedded[0, 4])  # a blank, and no object
    owned = model.prompts.batch_token_map(prompts, text.mask)
    assert owned[0].nonzero().tolist() == [[k, k] for k in range(4)]
    assert owned[1].nonzero().tolist() == [[0, 0]]


def test_other_classes_change_nothing(tiny_bert, knowledge):
    model = build(tiny_bert, knowledge=knowledge)
    many = (*(f'thing number {i}' for i in range(150)), *NAMES)
    alone, = found(model, [image()], ('cat',))
    among, = found(model, [image()], many)
    model.test_cfg = model.test_cfg.replace(chunked_size=40)
    chunked, = found(model, [image()], many)
    assert len(alone) == ANCHORS
    for result in (among, chunked):
        for ours, theirs in zip(of_class(result, 'cat'), of_class(alone, 'cat')):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
    assert set(among.label_names) == set(chunked.label_names) > set(NAMES)


def test_a_batch_of_images_with_classes_of_their_own(tiny_bert, knowledge):
    model = build(tiny_bert, knowledge=knowledge)
    names = (NAMES, ('jetski',), NAMES[::-1])
    images = [image(i) for i in range(3)]
    together = found(model, images, *names)
    for picture, classes, many in zip(images, names, together):
        one, = found(model, [picture], classes)
        assert len(one) == ANCHORS * len(classes) and many.label_names == one.label_names
        torch.testing.assert_close(many.scores, one.scores, rtol=0, atol=1e-5)
        torch.testing.assert_close(many.bboxes, one.bboxes, rtol=0, atol=1e-3)
        assert [classes[label] for label in many.labels] == many.label_names


def test_definitions_matter(tiny_bert, knowledge):
    bare, = found(build(tiny_bert), [image()], NAMES)
    known, = found(build(tiny_bert, knowledge=knowledge), [image()], NAMES)
    for name, same in zip(NAMES, (False, False, True, True)):
        a, b = (of_class(result, name)[1] for result in (bare, known))
        assert (len(a) == len(b) and torch.allclose(a, b, atol=1e-5)) == same


def test_texts_are_encoded_once(tiny_bert, knowledge, count_encodings):
    model = build(tiny_bert, knowledge=knowledge, batch_size=2)
    found(model, [image(0), image(1)], NAMES, NAMES)
    assert count_encodings == [1] * 5  # four classes and "no object"
    found(model, [image(2)], NAMES[::-1])
    assert count_encodings == [1] * 5
    found(model, [image(2)], ('zebra', 'cat'))
    assert count_encodings == [1] * 6
    model.load_state_dict(model.state_dict())
    found(model, [image(2)], ('cat',))
    assert count_encodings == [1] * 8


def test_words_of_the_user_come_before_those_of_the_file(tiny_bert, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({
        'pothole': dict(clean_name='holes on the road', def_wiki='A hollow.', gpt3=[' One.']),
        'cat': dict(clean_name='cat', def_wiki=None, gpt3=[])}))
    batcher = build(tiny_bert, knowledge=str(path), knowledge_type=['def_wiki', 'gpt3']).prompts
    assert batcher.texts(Prompt.from_names(['Pothole', 'cat'])) == [
        'holes on the road: A hollow. One.', 'cat']
    override = dict(pothole=dict(prefix='some ', name='holes', suffix=' here'))
    assert batcher.texts(Prompt.from_names(['pothole'], caption_prompt=override)) == [
        'some holes here: A hollow. One.']
    model = build(tiny_bert, knowledge=str(path), knowledge_type='gpt3')
    assert model.prompts.texts(Prompt.from_names(['pothole'])) == ['holes on the road: One.']


def test_what_is_not_known_is_said_once(tiny_bert, knowledge, warnings):
    batcher = build(tiny_bert, knowledge=knowledge).prompts
    for names in (NAMES, NAMES, ('cat', 'jetski')):
        batcher.texts(Prompt.from_names(names))
    text, = warnings
    assert "no definition of ['dining table', 'jetski']: the bare names are used" in text
    strict = build(tiny_bert, knowledge=knowledge, strict=True).prompts
    assert strict.texts(Prompt.from_names(NAMES[:2])) == TEXTS[:2]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"no definition of \['jetski'\]; add them"):
            strict.texts(Prompt.from_names(['cat', 'jetski']))


def test_a_long_text_loses_its_end_and_a_blank_name_finds_nothing(tiny_bert, tmp_path, warnings):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'cat': 'purrs ' * 400}))
    model = build(tiny_bert, knowledge=str(path))
    result, = found(model, [image()], ('cat', 'dog', ' '))
    assert set(result.label_names) == {'cat', 'dog'}
    assert any("texts of ['cat'] are longer than language_model.max_tokens=256" in text
               for text in warnings)
    assert any("[' '] own no token" in text for text in warnings)


def test_nothing_new_in_checkpoints(tiny_bert, knowledge):
    plain, known = build_nano(tiny_bert, fuse=False), build(tiny_bert, knowledge=knowledge)
    assert plain.state_dict().keys() == known.state_dict().keys()
    plain.load_state_dict(known.state_dict())
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in known.parameters())


@pytest.mark.parametrize('options, config, words', [
    (dict(fuse=True), {}, 'without fusion .*fusion reads the words of all classes together'),
    (dict(mlm_head={}), {}, 'model.class_texts and model.mlm_head exclude each other'),
    (dict(prompt_table={}), {}, 'model.prompt_table exclude each other: .*prompt tuning'),
    (dict(tuning='prompt'), {}, 'prompt tuning'),
    (dict(inter_image_loss={}), {}, 'model.inter_image_loss exclude'),
    (dict(test_cfg=dict(score_agg='ONEHOT')), {}, "score_agg='ONEHOT' exclude"),
    ({}, dict(knowlege='a.json'), "model.class_texts has 'knowlege'; it knows knowledge, "),
    ({}, dict(aggregate='max'), r"aggregate is 'max': choose one of \['first', 'mean'\]"),
    ({}, dict(batch_size=0), 'class_texts.batch_size=0 must be at least 1'),
    ({}, dict(max_classes_per_batch=0), 'max_classes_per_batch=0 must be'),
    ({}, dict(strict=True), 'model.class_texts.knowledge is missing'),
    ({}, dict(knowledge_type='gpt3'), 'model.class_texts.knowledge is missing'),
])
def test_what_does_not_fit_is_refused(tiny_bert, options, config, words):
    with pytest.raises(ValueError, match=words):
        build_nano(tiny_bert, class_texts=config, **{'fuse': False, **options})


def test_mask_special_and_captions_are_refused(tiny_bert):
    from mmengine.registry import DefaultScope

    from glip_mm.registry import MODELS

    from .nano import nano_config
    config = nano_config(tiny_bert, fuse=False, class_texts={})
    config['language_model']['mask_special'] = True
    with DefaultScope.overwrite_default_scope('glip_mm'), \
            pytest.raises(ValueError, match='mask_special exclude'):
        MODELS.build(config)
    model = build(tiny_bert)
    with pytest.raises(ValueError, match="'a cat on a mat' is a caption, and model.class_texts"):
        found(model, [image()], 'a cat on a mat', tokens_positive=[[[0, 5]]])
    sample = data_sample('a cat on a mat', [[8, 8, 50, 50]], [0], tokens_positive=[[[0, 5]]])
    with pytest.raises(ValueError, match='is a caption'):
        losses_of(model.train(), [image()], [sample])


# ---------------------------------------------------------------- training


def batch():
    """Prompts and boxes of two images: five classes, of which two have boxes."""
    prompts = [Prompt.from_names(['cat', 'dog', 'cow']), Prompt.from_names(['pig', 'cat', 'hen'])]
    boxes = torch.tensor([[8., 8, 50, 50], [20, 5, 80, 60]])
    return prompts, [InstanceData(bboxes=boxes, labels=torch.tensor([1, 0])),
                     InstanceData(bboxes=boxes, labels=torch.tensor([1, 1]))]


def test_all_images_of_a_batch_have_the_same_classes(tiny_bert):
    batcher = build(tiny_bert).prompts
    orders = set()
    for seed in range(5):
        torch.manual_seed(seed)
        prompts, gt = batcher.for_training(*batch())
        assert prompts[0] is prompts[1]
        assert sorted(prompts[0].names) == ['cat', 'cow', 'dog', 'hen', 'pig']
        assert [[prompts[0].names[i] for i in g.labels] for g in gt] == [
            ['dog', 'cat'], ['cat', 'cat']]
        orders.add(tuple(prompts[0].names))
    assert len(orders) > 1


@pytest.mark.parametrize('most', [1, 2, 4])
def test_positives_come_first(tiny_bert, most):
    batcher = build(tiny_bert, max_classes_per_batch=most).prompts
    negatives, left_out = set(), 0
    for seed in range(12):
        torch.manual_seed(seed)
        (prompt, _), gt = batcher.for_training(*batch())
        assert len(prompt.names) == most
        present = {'cat', 'dog'} & set(prompt.names)
        assert len(present) == min(most, 2)
        negatives |= set(prompt.names) - present
        labels = torch.cat([g.labels for g in gt]).tolist()
        assert {prompt.names[i] for i in labels if i < most} == present
        left_out += labels.count(most)
        owned = batcher.batch_token_map([prompt], torch.ones(1, most + 1))[0]
        assert not owned[most].any() and owned[:most, :most].equal(torch.eye(most).bool())
    assert (left_out > 0) == (most == 1)
    assert negatives == (set() if most < 3 else {'cow', 'hen', 'pig'})


def test_loss_equals_the_plain_formula(tiny_bert, knowledge):
    """Focal loss over classes alone: a box's anchors want its class, and "no object" is free."""
    model = build(tiny_bert, knowledge=knowledge).train()
    for module in model.modules():  # dropout would differ from call to call
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
        if hasattr(module, 'dropout_prob'):  # of SDPA in transformers 4
            module.dropout_prob = 0
    samples = [data_sample(NAMES[:2], [[10, 10, 50, 50]], [1]), data_sample(NAMES[1:])]
    data = model.data_preprocessor(dict(inputs=[image(0), image(1)], data_samples=samples), True)
    losses = model.loss(data['inputs'], data['data_samples'])
    sum(losses.values()).backward()
    weight = model.language_model.encoder.embeddings.word_embeddings.weight
    assert weight.grad.abs().sum() > 0

    order = list(NAMES)  # the loss is a sum: their order does not matter
    text = formula(model, TEXTS, 'first')[None].expand(2, -1, -1)
    feats = model.fusion_neck(model.extract_feat(data['inputs']), None)[0]
    levels = model.bbox_head(feats, text)
    logits = torch.cat([level.logits for level in levels], dim=1)
    wanted = torch.zeros_like(logits)
    assignment = model.bbox_head.assign(levels, [s.gt_instances for s in data['data_samples']])
    wanted[assignment.positives[:, 0], assignment.positives[:, 1], order.index('red_car')] = 1
    p = logits.sigmoid()
    focal = torch.where(wanted > 0, -0.25 * (1 - p)**2 * p.log(),
                        -0.75 * p**2 * (1 - p).log()).sum() / len(assignment.positives)
    torch.testing.assert_close(losses['loss_region_word'], focal, rtol=1e-4, atol=1e-4)


def test_training_learns(tiny_bert):
    model = build(tiny_bert, max_classes_per_batch=3, model_options=dict(contrastive_loss={}))
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=0.05)
    model.train()
    samples = [data_sample(('cat', 'dog', 'cow'), [[8, 8, 56, 56]], [0]),
               data_sample(('hen', 'dog'), [[50, 20, 92, 60]], [1])]
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    totals = []
    for _ in range(8):
        losses = losses_of(model, [image(0), image(1)], samples)
        totals.append(sum(losses.values()).item())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert totals[-1] < 0.8 * totals[0]
    silent = [n for n, p in model.named_parameters() if p.grad is None]
    assert silent == []
