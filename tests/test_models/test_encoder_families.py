"""Encoders of the BERT family beside BERT, small and random, each with its kind of tokenizer."""

from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from glip_mm.models.language_models import BertLanguageModel
from glip_mm.text import Prompt

from .nano import VOCABULARY, build_nano, data_sample, image, losses_of, predict

SIZE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
ROBERTA = dict(SIZE, vocab_size=400, pad_token_id=1, max_position_embeddings=258)
DEBERTA = dict(SIZE, vocab_size=400, pad_token_id=1, relative_attention=True,
               pos_att_type=['p2c', 'c2p'])
#: Architecture -> kind of tokenizer and configuration.
FAMILIES = dict(
    DistilBert=('words', dict(dim=32, n_layers=2, n_heads=2, hidden_dim=64)),
    Electra=('words', dict(SIZE, embedding_size=16)),
    MPNet=('words', dict(SIZE, vocab_size=30527)),
    Roberta=('bytes', ROBERTA),
    Deberta=('bytes', DEBERTA),
    XLMRoberta=('pieces', ROBERTA),
    Albert=('pieces', dict(SIZE, vocab_size=400, pad_token_id=1, embedding_size=16)),
    DebertaV2=('pieces', DEBERTA))
SPECIAL = ['<s>', '<pad>', '</s>', '<unk>', '<mask>']
NAMES = ('traffic light', 'cat', 'a red house', 'naïve café', '猫')


def train_tokenizer(kind: str) -> Tokenizer:
    """Bytes in pairs, as RoBERTa has them, or the pieces of sentencepiece, as XLM-R."""
    by_bytes = kind == 'bytes'
    tokenizer = Tokenizer(models.BPE() if by_bytes else models.Unigram())
    tokenizer.pre_tokenizer = (pre_tokenizers.ByteLevel(add_prefix_space=False) if by_bytes
                               else pre_tokenizers.Metaspace())
    tokenizer.decoder = decoders.ByteLevel() if by_bytes else decoders.Metaspace()
    trainer = (trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False,
                                   initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
               if by_bytes else trainers.UnigramTrainer(
                   vocab_size=300, special_tokens=SPECIAL, unk_token='<unk>', show_progress=False))
    tokenizer.train_from_iterator([*NAMES, 'a cat. two dogs, one house'] * 20, trainer)
    tokenizer.post_processor = (
        processors.RobertaProcessing(('</s>', 2), ('<s>', 0), add_prefix_space=False) if by_bytes
        else processors.TemplateProcessing(single='<s> $A </s>',
                                           special_tokens=[('<s>', 0), ('</s>', 2)]))
    return tokenizer


def write_model(folder: Path, family: str, kind: str, config: dict) -> str:
    getattr(transformers, f'{family}Config')(**config).save_pretrained(folder)
    if kind == 'words':
        for name in ('vocab.txt', 'tokenizer_config.json'):
            (folder / name).write_bytes((VOCABULARY.parent / name).read_bytes())
    else:
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=train_tokenizer(kind), cls_token='<s>', sep_token='</s>',
            unk_token='<unk>', pad_token='<pad>', mask_token='<mask>').save_pretrained(folder)
    return str(folder)


@pytest.fixture
def name(request, tmp_path):
    return write_model(tmp_path / request.param, request.param, *FAMILIES[request.param])


every_family = pytest.mark.parametrize('name', FAMILIES, indirect=True)


@every_family
def test_it_trains_and_predicts(name):
    model = build_nano(name, mlm_head=dict(mask_probability=1.0), test_cfg=dict(score_thr=0.))
    losses = losses_of(model.train(), [image(0), image(1)], [
        data_sample(('cat', 'dog'), [[8, 8, 56, 56]], [1]),
        data_sample(('cat', 'a red house', 'dog'), [[8, 8, 56, 56]], [0])])
    sum(losses.values()).backward()
    assert losses['loss_mlm'] > 1
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    found = predict(model, [image(0)], [data_sample(NAMES)])[0].pred_instances
    assert set(found.label_names) == set(NAMES)


@every_family
def test_names_own_their_tokens_and_padding_changes_nothing(name):
    torch.manual_seed(0)
    model = BertLanguageModel(name, pretrained=False, frozen=True)
    prompt = Prompt.from_names(NAMES)
    prompts = build_nano(name).prompts
    offsets = model.offsets(prompt.caption)
    assert offsets[0].tolist() == offsets[-1].tolist() == [0, 0]
    for owned, wanted in zip(prompts.token_map(prompt), NAMES):
        spans = offsets[owned.numpy()]
        text = ''.join(prompt.caption[b:e] for b, e in zip(
            [spans[0][0], *spans[:-1, 1]], spans[:, 1]))
        assert text.strip() == wanted
    with torch.no_grad():
        both = model(*model.tokenize(['cat', prompt.caption])[:2]).hidden[0]
        alone = model(*model.tokenize(['cat'])[:2]).hidden[0]
    torch.testing.assert_close(both[:len(alone)], alone, rtol=0, atol=1e-5)


@every_family
def test_chunks_of_a_vocabulary_fit(name):
    prompts = build_nano(name).prompts
    language_model = prompts.language_model
    language_model.max_tokens = 24
    names = [f'{colour} {thing}' for colour in ('red', 'a blue', 'café') for thing in
             ('house', 'cat', 'dog', 'light')]
    chunks = prompts.chunks(Prompt.from_names(names))
    assert sum(len(chunk.labels) for chunk in chunks) == len(names) and len(chunks) > 1
    for chunk in chunks:
        assert language_model.count_tokens([chunk.prompt.caption])[0] <= 22
        assert prompts.token_map(chunk.prompt).any(dim=1).all()


@every_family
def test_pretrained_weights_load(name):
    source = BertLanguageModel(name, pretrained=False)
    source.encoder.save_pretrained(name)
    model = BertLanguageModel(name)
    model.init_weights()
    wanted = source.encoder.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.encoder.state_dict().items())


@pytest.mark.parametrize('family, config, words', [
    ('T5', dict(d_model=32, num_layers=1, num_heads=2), "'t5', which has a decoder: each word"),
    ('GPT2', dict(n_embd=32, n_layer=1, n_head=2), r"'gpt2', which has no \[MASK\] token: each"),
])
def test_what_reads_in_one_direction_is_refused(tmp_path, family, config, words):
    folder = write_model(tmp_path, family, 'bytes', dict(config, vocab_size=400))
    if family == 'GPT2':
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        tokenizer.mask_token = None
        tokenizer.save_pretrained(folder)
    with pytest.raises(ValueError, match=words):
        BertLanguageModel(folder, pretrained=False)


@pytest.mark.parametrize('name, room', [('Roberta', 256), ('Electra', 512)], indirect=['name'])
def test_more_tokens_than_positions_are_refused(name, room):
    BertLanguageModel(name, pretrained=False, max_tokens=room)
    with pytest.raises(ValueError, match=f'max_tokens={room + 1} of .* {room} positions'):
        BertLanguageModel(name, pretrained=False, max_tokens=room + 1)
