_base_ = '../benchmarks/flickr30k_val.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/flickr30k_val.py',
    reference='docs/migration.md')
