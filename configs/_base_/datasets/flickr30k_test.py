_base_ = '../benchmarks/flickr30k_test.py'
_deprecation_ = dict(
    expected='configs/_base_/benchmarks/flickr30k_test.py',
    reference='docs/migration.md')
