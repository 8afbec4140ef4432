"""Named lists of what ``PackDetInputs`` keeps of a sample: its ``meta_keys``."""

_IMAGE = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')
#: Training: images are flipped, and transforms have made the prompt.
TRAIN_META_KEYS = (*_IMAGE, 'flip', 'flip_direction', 'prompt')
#: Tests by class names: what the prompt is made of, and which data set an image belongs to.
TEST_META_KEYS = (*_IMAGE, 'text', 'custom_entities', 'caption_prompt', 'dataset_name')
