# Parameters, gradients and optimizer state sharded over all processes. Every block of the backbone
# and of the fusion is a unit; what other modules reach into stays in the root. So does the language
# model: a process calls it for each caption it has not encoded yet, and would wait for the others.
runner_type = 'glip_mm.ScreenFlexibleRunner'
strategy = dict(
    type='glip_mm.GLIPFSDPStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        use_orig_params=True,
        auto_wrap_policy=dict(
            type='glip_mm.wrap_blocks',
            names=('SwinBlock', 'BiAttention', 'FusionTextLayer', 'DyConv'))),
    # one file that tests, fine-tunes and resumes on any number of processes
    state_dict_cfg='full')
