# ZeRO stage 2: gradients and optimizer state sharded. Parameters stay float32 and no autocast is
# on: bf16=dict(enabled=True) would round all weights, those of the region-word logits, too.
runner_type = 'glip_mm.ScreenFlexibleRunner'
strategy = dict(
    type='DeepSpeedStrategy',
    gradient_clipping=1.0,
    zero_optimization=dict(
        stage=2,
        allgather_partitions=True,
        reduce_scatter=True,
        overlap_comm=True,
        contiguous_gradients=True))
