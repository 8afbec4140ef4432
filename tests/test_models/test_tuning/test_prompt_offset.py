"""The prompt's offset travels with the prompt it was learned for."""

import pytest
import torch

from glip_mm.checkpoints import convert_state_dict, load_glip_checkpoint
from glip_mm.models.language_models import PromptTable, TextFeatures
from tests.test_models.nano import build_nano, data_sample, image, losses_of, predict

from .training import TEXT, built, train

CAPTION = 'cat. dog. red house'


@pytest.fixture(scope='module')
def tuned(tiny_bert):
    model = built(tiny_bert, 'prompt')
    train(model, steps=2, lr=0.05)
    return model


def test_offset_and_prompt_save_and_load(tuned, tiny_bert, tmp_path):
    assert tuned.prompt_table.belongs_to == CAPTION
    torch.save(dict(state_dict=tuned.state_dict()), tmp_path / 'offset.pth')
    again = build_nano(tiny_bert, seed=4, tuning='prompt')
    load_glip_checkpoint(again, tmp_path / 'offset.pth')
    assert again.prompt_table.belongs_to == CAPTION
    assert again.prompt_table.weight[:5].any()
    for model in (tuned, again):
        found = predict(model, [image(0)], [data_sample(TEXT)])[0].pred_instances
        if model is tuned:
            wanted = found
    assert torch.equal(found.scores, wanted.scores)
    assert torch.equal(found.bboxes, wanted.bboxes)


def test_another_prompt_in_use_is_an_error_that_names_both(tuned, tiny_bert):
    again = build_nano(tiny_bert, tuning='prompt')
    load_glip_checkpoint(again, tuned.state_dict())
    with pytest.raises(ValueError, match="'cat. dog. red house' but is used with 'zebra"):
        predict(again, [image(0)], [data_sample(('zebra',))])
    with pytest.raises(ValueError, match="used with 'dog. cat"):
        losses_of(again.train(), [image(0)], [data_sample(('dog', 'cat'), [[1, 1, 50, 50]], [0])])


def test_another_prompt_at_load_is_an_error_that_names_both(tuned, tiny_bert):
    again = build_nano(tiny_bert, tuning=dict(type='prompt', prompt='zebra'))
    with pytest.raises(ValueError, match="'cat. dog. red house', the one in the model to 'zebra'"):
        load_glip_checkpoint(again, tuned.state_dict())


def test_base_checkpoint_leaves_the_configured_prompt(tiny_bert):
    base = build_nano(tiny_bert, seed=4)
    again = build_nano(tiny_bert, tuning=dict(type='prompt', prompt=CAPTION))
    load_glip_checkpoint(again, base.state_dict())
    assert again.prompt_table.belongs_to == CAPTION
    assert not again.prompt_table.weight.any()
    # written before the first step: of no prompt yet
    fresh = build_nano(tiny_bert, tuning='prompt')
    load_glip_checkpoint(again, fresh.state_dict())
    assert again.prompt_table.belongs_to == CAPTION


def test_looking_does_not_bind(tiny_bert):
    model = build_nano(tiny_bert, tuning='prompt')
    for text in (TEXT, ('zebra',)):
        predict(model, [image(0)], [data_sample(text)])
    assert model.prompt_table.belongs_to == ''


def test_one_offset_for_any_prompt_if_wanted(tuned, tiny_bert):
    model = build_nano(tiny_bert, tuning=dict(type='prompt', one_prompt=False))
    report = load_glip_checkpoint(model, tuned.state_dict())
    assert 'prompt_table.prompt' in report.dropped
    for text in (TEXT, ('zebra',)):
        predict(model, [image(0)], [data_sample(text)])


def test_official_naming_has_the_offset_alone(tuned, tiny_bert):
    official, report = convert_state_dict(tuned.state_dict(), 'mmdet')
    assert 'prompt_table.prompt' in report.dropped


def test_long_and_foreign_prompts():
    table = PromptTable(4, one_prompt=True, prompt='größe. 猫. ' + 'x' * 20000)
    again = PromptTable(4, one_prompt=True)
    again.load_state_dict(table.state_dict())
    assert again.belongs_to == table.belongs_to and again.belongs_to.startswith('größe. 猫. xx')
    text = TextFeatures(torch.zeros(1, 3, 4), torch.zeros(1, 3, 4), torch.ones(1, 3).bool())
    again(text, ['größe. 猫. ' + 'x' * 20000])
