import copy

import pytest
import torch
from mmengine.registry import DefaultScope

from glip_mm.models.language_models import (
    BertLanguageModel,
    PromptTable,
    TokenBatch,
    greenlight_row,
    mask_tokens,
)

from .nano import write_tiny_bert


@pytest.fixture
def frozen(tiny_bert):
    torch.manual_seed(0)
    return BertLanguageModel(tiny_bert, pretrained=False, frozen=True)


@pytest.fixture
def trainable(tiny_bert):
    torch.manual_seed(0)
    return BertLanguageModel(tiny_bert, pretrained=False)


def test_text_is_cropped_and_padding_changes_nothing(trainable):
    trainable.eval()
    both = trainable.encode(['cat', 'a much longer text about a cat'])
    alone = trainable.encode(['cat'])
    assert both.hidden.shape == (2, 9, 32)  # 7 words, [CLS], [SEP]
    assert alone.hidden.shape == (1, 3, 32)
    assert both.mask.tolist() == [[True] * 3 + [False] * 6, [True] * 9]
    torch.testing.assert_close(both.hidden[0, :3], alone.hidden[0], rtol=1e-5, atol=1e-5)
    assert (both.embedded[0, 3:] == 0).all()


def test_frozen_captions_are_encoded_once(frozen, count_encodings):
    frozen.train()
    first = frozen.encode(['cat', 'dog', 'cat'])
    again = frozen.encode(['dog', 'cat'])
    assert count_encodings == [1, 1]
    assert torch.equal(first.hidden[0], first.hidden[2])
    assert torch.equal(first.hidden[1], again.hidden[0])
    assert not any(p.requires_grad for p in frozen.parameters())


def test_trained_captions_are_encoded_each_time_but_once_a_batch(trainable, count_encodings):
    trainable.train()
    text = trainable.encode(['cat', 'cat', 'dog'])
    trainable.encode(['cat'])
    assert count_encodings == [2, 1]
    assert text.hidden.requires_grad


def test_cache_of_an_evaluated_model_ends_with_training(trainable, count_encodings):
    trainable.eval()
    with torch.no_grad():
        before = trainable.encode(['cat']).hidden
        trainable.encode(['cat'])
        assert count_encodings == [1]
        trainable.train()
        with torch.no_grad():
            trainable.encoder.embeddings.word_embeddings.weight.add_(1)
        trainable.eval()
        after = trainable.encode(['cat']).hidden
    assert not torch.allclose(before, after)


def test_loading_weights_forgets_the_cache(frozen):
    before = frozen.encode(['cat']).hidden
    state = {k: v + 1 if v.is_floating_point() else v for k, v in frozen.state_dict().items()}
    frozen.load_state_dict(state)
    assert not torch.allclose(before, frozen.encode(['cat']).hidden)


@pytest.mark.parametrize('change', ['in place', 'past PyTorch', 'of a part', 'another tensor'])
def test_changed_weights_of_an_evaluated_model_are_noticed(trainable, change):
    trainable.eval()
    embeddings = trainable.encoder.embeddings.word_embeddings
    with torch.no_grad():
        before = trainable.encode(['cat']).hidden
        assert trainable.encode(['cat']).hidden.data_ptr() and len(trainable._cache) == 1
        if change == 'in place':
            embeddings.weight.add_(1)
        elif change == 'past PyTorch':  # as MMEngine swaps averaged weights in
            embeddings.weight.data.copy_(embeddings.weight + 1)
        elif change == 'of a part':
            trainable.encoder.load_state_dict(
                {k: v + 1 if v.is_floating_point() else v
                 for k, v in trainable.encoder.state_dict().items()})
        else:
            embeddings.weight = torch.nn.Parameter(embeddings.weight + 1)
        assert not torch.allclose(before, trainable.encode(['cat']).hidden)


def test_remembered_text_depends_on_nothing_that_was_encoded_beside_it(tiny_bert):
    captions = ['cat', 'a much longer text about a cat', 'two dogs. a remote control. a sofa']

    def features(batches, encode):
        torch.manual_seed(0)
        model = BertLanguageModel(tiny_bert, pretrained=False, frozen=True)
        for batch in batches:
            found = encode(model, batch)
        return found

    for encode in (lambda m, batch: m.encode(batch).hidden,
                   lambda m, batch: m.encode_whole(batch, 'mean')):
        alone = features([captions[:1], captions[1:2], captions[2:], captions], encode)
        together = features([captions], encode)
        assert torch.equal(alone, together)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('word', ['cat', 'dog', 'red'])
def test_a_word_that_is_set_past_pytorch_is_noticed(trainable, dtype, word):
    trainable.eval().to(dtype)
    with torch.no_grad():
        before = trainable.encode([word]).hidden
        row = trainable.token_ids([word])[0][0]
        trainable.encoder.get_input_embeddings().weight.data[row, 5] += 1
        assert not torch.equal(trainable.encode([word]).hidden, before)


def test_an_unchanged_model_keeps_its_cache_and_a_copy_starts_empty(trainable, count_encodings):
    trainable.eval()
    with torch.no_grad():
        first = trainable.encode(['cat']).hidden
        other = copy.deepcopy(trainable)
        assert torch.equal(other.encode(['cat']).hidden, first)
        trainable.encode(['cat'])
    assert count_encodings == [1, 1]


def test_cache_is_bounded(tiny_bert):
    model = BertLanguageModel(tiny_bert, pretrained=False, frozen=True, cache_tokens=10)
    for word in ('cat', 'dog', 'cow', 'hen', 'pig'):
        model.encode([word])
        assert model._cache.size <= 10
    assert model._cache.keys() == [(None, 'cow'), (None, 'hen'), (None, 'pig')]
    assert model.encode(['cat', 'dog', 'cow', 'hen', 'pig']).hidden.shape == (5, 3, 32)


def test_initialisation_keeps_given_weights_and_loads_pretrained(tmp_path, tiny_bert):
    source = BertLanguageModel(tiny_bert, pretrained=False)
    folder = tmp_path / 'weights'
    source.encoder.save_pretrained(folder)
    source.tokenizer.save_pretrained(folder)
    key = 'embeddings.word_embeddings.weight'
    model = BertLanguageModel(str(folder))
    assert not torch.equal(model.encoder.state_dict()[key], source.encoder.state_dict()[key])
    model.init_weights()
    assert torch.equal(model.encoder.state_dict()[key], source.encoder.state_dict()[key])
    unloaded = BertLanguageModel(tiny_bert, pretrained=False)
    before = copy.deepcopy(unloaded.encoder.state_dict())
    unloaded.init_weights()
    assert all(torch.equal(v, before[k]) for k, v in unloaded.encoder.state_dict().items())


def test_forgotten_pretrained_weights_are_reported_once(tiny_bert, caplog):
    from mmengine.logging import MMLogger
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        for prepared, wanted in (('nothing', 1), ('weights loaded', 0)):
            caplog.clear()
            model = BertLanguageModel(tiny_bert, frozen=True)
            if prepared == 'weights loaded':
                model.load_state_dict(model.state_dict())
            model.encode(['cat'])
            model.encode(['dog'])
            assert caplog.text.count('were not loaded: call init_weights()') == wanted
    finally:
        logger.removeHandler(caplog.handler)


def test_packaged_bert_base_needs_no_download(monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    from glip_mm.compat import load_tokenizer
    from glip_mm.text.language_model_files import resolve_language_model
    tokenizer = load_tokenizer(resolve_language_model('bert-base-uncased'))
    assert tokenizer('person').input_ids == [101, 2711, 102]


def test_unknown_model_names_the_config_key(monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(OSError, match="language_model.name 'no/such-model' could not be loaded"):
        BertLanguageModel('no/such-model')


def test_mean_of_last_layers_is_divided_twice(tiny_bert):
    torch.manual_seed(0)
    model = BertLanguageModel(tiny_bert, pretrained=False, num_layers=1).eval()
    tokens = model.tokenize(['cat'])
    single = model(*tokens[:2])
    assert torch.equal(single.embedded, single.hidden)
    model.num_layers = 2  # embedding output and the only layer
    double = model(*tokens[:2])
    hidden = model.encoder(input_ids=tokens.input_ids, attention_mask=tokens.mask.long(),
                           output_hidden_states=True).hidden_states
    torch.testing.assert_close(double.embedded, (hidden[0] + hidden[1]) / 4)


def test_depth_uses_the_first_pretrained_layers(tmp_path, tiny_bert):
    deep = write_tiny_bert(tmp_path / 'deep', num_layers=3)
    source = BertLanguageModel(deep, pretrained=False).eval()
    source.encoder.save_pretrained(deep)
    model = BertLanguageModel(deep, depth=2).eval()
    model.init_weights()
    tokens = model.tokenize(['cat'])
    every = source.encoder(input_ids=tokens.input_ids, attention_mask=tokens.mask.long(),
                           output_hidden_states=True).hidden_states
    torch.testing.assert_close(model(*tokens[:2]).hidden, every[2])
    assert not torch.equal(every[2], every[3])
    for depth in (0, 4):
        with pytest.raises(ValueError, match=f'language_model.depth={depth} .* 3 layers'):
            BertLanguageModel(deep, pretrained=False, depth=depth)


def test_long_caption_is_cut_at_the_budget(tiny_bert):
    model = BertLanguageModel(tiny_bert, pretrained=False, max_tokens=6)
    assert model.tokenize(['cat ' * 20]).input_ids.shape == (1, 6)
    assert len(model.offsets('cat ' * 20)) == 6


def test_prompt_table_starts_as_identity_and_learns(frozen):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        table = PromptTable(32, num_positions=50)
    text = frozen.encode(['cat', 'a dog'])
    shifted = table(text)
    assert torch.equal(shifted.hidden, text.hidden)
    shifted.hidden.sum().backward()
    assert (table.weight.grad[:4] == 2).all() and (table.weight.grad[4:] == 0).all()


def tokens_for_masking(batch=400, length=20):
    ids = torch.arange(1000, 1000 + length).repeat(batch, 1)
    mask = torch.ones(batch, length, dtype=torch.bool)
    mask[:, -5:] = False
    return TokenBatch(ids, mask, [])


def test_masking_shares_and_reproducibility():
    tokens = tokens_for_masking()

    def draw(seed):
        return mask_tokens(tokens, None, 103, 30522,
                           generator=torch.Generator().manual_seed(seed))

    ids, labels = draw(0)
    assert torch.equal(ids, draw(0)[0]) and not torch.equal(ids, draw(1)[0])
    chosen = labels != -100
    assert not chosen[:, -5:].any()
    assert chosen[:, :-5].float().mean().item() == pytest.approx(0.15, abs=0.015)
    assert (labels[chosen] == tokens.input_ids[chosen]).all()
    assert (ids[~chosen] == tokens.input_ids[~chosen]).all()
    masked = (ids == 103) & chosen
    unchanged = (ids == tokens.input_ids) & chosen
    assert (masked.sum() / chosen.sum()).item() == pytest.approx(0.8, abs=0.05)
    assert (unchanged.sum() / chosen.sum()).item() == pytest.approx(0.1, abs=0.04)


def test_greenlight_controls_masking_and_learning():
    tokens = tokens_for_masking()
    greenlight = torch.zeros_like(tokens.input_ids)
    greenlight[:, :5] = 1
    greenlight[:, 5:10] = -1

    def mask(**kwargs):
        return mask_tokens(tokens, greenlight, 103, 30522, probability=0.9,
                           generator=torch.Generator().manual_seed(0), **kwargs)

    ids, labels = mask()
    learned = labels != -100
    assert learned[:, :5].any() and not learned[:, 5:].any()
    assert torch.equal(ids[:, 5:], tokens.input_ids[:, 5:])
    published, published_labels = mask(corrupt_unlearned=True)
    assert torch.equal(published_labels, labels)
    assert torch.equal(published[:, :10], ids[:, :10])
    assert (published[:, 10:15] == 103).any()  # masked though not learned


def test_greenlight_of_spans_by_the_published_vectors(trainable):
    caption = 'cat. teddy bear'
    offsets = trainable.offsets(caption)
    assert greenlight_row(offsets, [(0, 3), (5, 15)]).nonzero()[0].tolist() == [1, 3, 4]
    assert (greenlight_row(offsets, None) == -1).all()
    assert not greenlight_row(offsets, []).any()
    assert not greenlight_row(offsets, [(40, 44)]).any()
    # the special tokens are never learned, the full stop is where the span holds it
    assert greenlight_row(offsets, [(0, 15)]).tolist() == [0, 1, 1, 1, 1, 0]


def test_greenlight_of_a_caption_cut_at_its_end(tiny_bert):
    model = BertLanguageModel(tiny_bert, pretrained=False, max_tokens=6)
    row = greenlight_row(model.offsets('cat ' * 20), [(0, 80)])
    assert row.tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize('change', ['hook', 'another module', 'adapter switched'])
def test_what_a_module_computes_beside_its_weights_is_noticed(trainable, change):
    layer = trainable.eval().encoder.encoder.layer[0].output
    if change == 'adapter switched':
        layer._disable_adapters = False
    with torch.no_grad():
        before = trainable.encode(['cat']).hidden
        if change == 'another module':
            layer.dropout = torch.nn.Hardtanh(-.01, .01)
        elif change == 'hook':
            layer.register_forward_hook(lambda module, args, out: out + 1)
        else:
            layer._disable_adapters = True
            assert trainable._cache
            trainable.forget_if_changed()
            assert not len(trainable._cache)
            return
        assert not torch.allclose(before, trainable.encode(['cat']).hidden)
