"""Full-size GLIP-T and GLIP-T (A) against outputs of the official code.

The other reference cases run with ``python -m dev.parity``.
"""

from dev.parity.golden import GoldenCase
from dev.parity.inference import check_inference
from dev.parity.table import format_table
from dev.parity.training import check_training

from .conftest import GOLDEN


def assert_parity(rows):
    failed = [r for r in rows if not r.passed]
    assert not failed, '\n' + format_table(failed)


def stages(rows):
    return {r.stage for r in rows}


def test_unfused_caption(golden_model):
    model, report = golden_model('glip_a', False)
    assert report.num_kept == 534 - 12  # the 12 relative_position_index are not seeded
    rows = check_inference(GoldenCase(GOLDEN / 'glip_a' / 'infer_a_caption'), model)
    assert {'lang.embedded', 'fpn.p7', 'tower.dyconv5.p3', 'det0 set', 'det0.hi boxes'} <= stages(
        rows)
    assert_parity(rows)


def test_unfused_losses_with_an_empty_image(golden_model):
    model, _ = golden_model('glip_a', False)
    case = GoldenCase(GOLDEN / 'glip_a' / 'train_empty')
    rows = check_training(case, model, gradients=False)
    assert {'loss_reg', 'loss_dot_product_token', 'assign1', 'total_loss'} <= stages(rows)
    assert_parity(rows)


def test_fused_batch(golden_model):
    # with the head of the next test, so that the model is built once
    model, _ = golden_model('glip_t', True)
    rows = check_inference(GoldenCase(GOLDEN / 'glip_t' / 'infer_ab_short'), model)
    assert {'tower.fuse5.lang', 'tower.bert5.lang', 'head.bbox_pred.p7', 'det1.coco boxes'
            } <= stages(rows)
    assert_parity(rows)


def test_fused_training_with_gradients(golden_model):
    model, _ = golden_model('glip_t', True)
    rows = check_training(GoldenCase(GOLDEN / 'glip_t' / 'train_mlm'), model)
    assert {'mlm_loss', 'head.mlm_logits', 'assign0.reg_targets', 'grad_norms mlm_loss',
            'grad samples total'} <= stages(rows)
    assert_parity(rows)
