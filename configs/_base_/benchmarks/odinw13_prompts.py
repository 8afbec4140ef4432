# ODinW-13 with the class names and prompts of ODinW-35
# What comes near the published averages.
_base_ = ['../datasets/zero_shot_pipelines.py', '../datasets/odinw.json']

benchmark = 'odinw13_prompts'
data_root = 'data/odinw/'
# of each set: name, folder, class names, how they stand in the prompt, annotation file, images
suite = [(d['name'], f"{data_root}{d['root']}/", d['classes'], d.get('prompt'),
          *d['splits'][d['evaluated']])
         for d in _base_.odinw if d['in_13']]

test_dataloader = dict(
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type='ZeroShotDataset',
                dataset_name=name,
                data_root=root,
                ann_file=ann_file,
                data_prefix=dict(img=images),
                metainfo=dict(classes=classes),
                caption_prompt=prompt,
                test_mode=True,
                pipeline=_base_.test_pipeline)
            for name, root, classes, prompt, ann_file, images in suite
        ]))
test_evaluator = dict(
    type='ODinWMetric',
    datasets={name: root + ann_file
              for name, root, _, _, ann_file, _ in suite},
    num_classes={name: len(classes)
                 for name, _, classes, *_ in suite})
# said once, above
odinw = None
del suite
