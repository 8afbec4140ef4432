"""Commands of ``glip-mm``, and the tools that they run."""

from typing import NamedTuple


class Command(NamedTuple):
    """A command and its tool."""
    #: Path of the tool below the folder that holds ``tools`` and ``demo``.
    tool: str
    #: One line for the list of commands.
    help: str


COMMANDS = {
    'detect': Command('demo/image_demo.py', 'find classes or phrases in images and draw them'),
    'video': Command('demo/video_demo.py', 'find them in a video, a camera or a stream'),
    'serve': Command('tools/serve.py', 'answer over HTTP, programs and Label Studio'),
    'web': Command('demo/web_demo.py', 'find them on a page in the browser'),
    'train': Command('tools/train.py', 'train a model from its config'),
    'test': Command('tools/test.py', 'test a checkpoint with the data of a config'),
    'suite': Command('tools/test_suite.py', 'test a checkpoint on many data sets at once'),
    'finetune': Command('tools/finetune.py', 'tune a model on a folder of your own data'),
    'odinw': Command('tools/odinw.py', 'tune a model on every set of ODinW, or folders'),
    'tune-prompts': Command('tools/analysis_tools/tune_prompts.py',
                            'search the wording of class names that detects best'),
    'label': Command('tools/pseudo_label.py', 'label a folder by names, or captioned images'),
    'review': Command('tools/analysis_tools/review_labels.py', 'make a page of generated labels'),
    'export-labels': Command('tools/analysis_tools/export_labels.py',
                             'write generated labels as COCO, YOLO, VOC, Label Studio or ODVG'),
    'export': Command('tools/export.py', 'write a detector of fixed names as ONNX, pt2 or AOT'),
    'report': Command('tools/analysis_tools/report.py', 'make a page of the results of a test'),
    'eval': Command('tools/analysis_tools/eval_metric.py', 'score the predictions of a test again'),
    'browse': Command('tools/analysis_tools/browse_grounding_dataset.py',
                      'draw training samples as the model sees them'),
    'logs': Command('tools/analysis_tools/analyze_logs.py', 'plot and average training logs'),
    'merge-lora': Command('tools/misc/merge_lora.py', 'merge adapters into the weights'),
    'interpolate': Command('tools/misc/interpolate_weights.py',
                           'average tuned and original weights'),
    'world': Command('tools/misc/make_grounding_world.py', 'draw the data of the quickstart'),
    'check': Command('tools/misc/check_data.py',
                     'check the installation or, with a file or folder, data'),
}
#: Tool of ``glip-mm check`` without arguments.
CHECK_INSTALLATION = 'tools/misc/check_env.py'

CONVERTERS = {
    'weights': Command('tools/model_converters/convert_glip.py',
                       "between the authors', MMDetection's and our naming"),
    'folder': Command('tools/dataset_converters/convert_folder.py',
                      'a folder in any format, to ODVG or COCO'),
    'coco2odvg': Command('tools/dataset_converters/coco2odvg.py', 'COCO and Objects365'),
    'goldg2odvg': Command('tools/dataset_converters/goldg2odvg.py', 'GoldG: Flickr30k and GQA'),
    'lvis2odvg': Command('tools/dataset_converters/lvis2odvg.py', 'LVIS'),
    'openimages2odvg': Command('tools/dataset_converters/openimages2odvg.py', 'Open Images'),
    'phrasecut2odvg': Command('tools/dataset_converters/phrasecut2odvg.py', 'PhraseCut'),
    'refcoco2odvg': Command('tools/dataset_converters/refcoco2odvg.py', 'RefCOCO, + and g'),
    'tsv2odvg': Command('tools/dataset_converters/tsv2odvg.py', "the authors' TSV files"),
    'vg2odvg': Command('tools/dataset_converters/vg2odvg.py', 'Visual Genome'),
    'voc2odvg': Command('tools/dataset_converters/voc2odvg.py', 'Pascal VOC'),
}
