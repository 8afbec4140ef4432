# Parameters, gradients and optimizer state sharded over all processes. Every block of the
# transformers and of the fusion is a unit; what other modules reach into stays in the root.
runner_type = 'glip_mm.ScreenFlexibleRunner'
strategy = dict(
    type='glip_mm.GLIPFSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        use_orig_params=True,
        auto_wrap_policy=dict(
            type='glip_mm.wrap_blocks',
            names=('SwinBlock', 'BertLayer', 'BiAttention', 'FusionTextLayer', 'DyConv'))),
    # one file that tests, fine-tunes and resumes on any number of processes
    state_dict_cfg='full')
