# ODinW-35, four of its sets with prompts
_base_ = ['../datasets/zero_shot_pipelines.py', '../datasets/odinw.json']

benchmark = 'odinw35'
data_root = 'data/odinw/'
# of each set: name, folder, class names, how they stand in the prompt, annotation file, images
suite = [(d['name'], f"{data_root}{d['root']}/", d['classes'], d.get('prompt'),
          *d['splits'][d['evaluated']])
         for d in _base_.odinw if d['in_35']]

test_dataloader = dict(
    dataset=dict(
        type='glip_mm.ConcatDataset',
        pipeline=_base_.test_pipeline,
        datasets=[
            dict(
                type='glip_mm.ZeroShotDataset',
                dataset_name=name,
                data_root=root,
                ann_file=ann_file,
                data_prefix=dict(img=images),
                metainfo=dict(classes=classes),
                caption_prompt=prompt,
                test_mode=True)
            for name, root, classes, prompt, ann_file, images in suite
        ]))
test_evaluator = dict(
    type='glip_mm.ODinWMetric',
    datasets={name: root + ann_file
              for name, root, _, _, ann_file, _ in suite},
    num_classes={name: len(classes)
                 for name, _, classes, *_ in suite})
# what ODinW-13 is made of: its sets, and their plain class names where they are others
in_13 = {d['name']: d.get('classes_13', d['classes']) for d in _base_.odinw if d['in_13']}
# said once, above
odinw = None
del suite
