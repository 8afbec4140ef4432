# ZeRO stage 2: gradients and optimizer state sharded. Parameters stay float32 and no autocast is
# on: DeepSpeed's bf16 would cast the region-word logits' weights, too, which must not be.
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
