"""Export a model that is given as users give it: a config or name, and weights."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from ..deploy import export, resize_steps
from ..deploy.checking import Difference
from ..registry import SCOPE
from .building import build_model, resolve_model
from .images import ImagePipeline, Input, list_images, pipeline_cfg
from .prompts import Texts, make_prompt


def export_model(model: str | PathLike | Config,
                 weights: str | PathLike | None,
                 texts: Texts,
                 path: str | PathLike,
                 custom_entities: bool = False,
                 images: Input | Sequence[Input] = (),
                 test_cfg: dict[str, Any] | None = None,
                 **options: Any) -> list[Difference]:
    """Write a detector of a fixed vocabulary to a file, after comparing it with the original.

    Args:
        model: See :class:`GLIPInferencer`.
        weights: See :class:`GLIPInferencer`.
        texts: What to look for, see :func:`make_prompt`.
        path: The file.
        custom_entities: A string in ``texts`` holds names separated by ``'. '``.
        images: To compare on; default: a drawn one.
        test_cfg: Entries that replace those of the config's ``model.test_cfg``.
        options: See :func:`glip_mm.deploy.export`.

    Returns:
        The differences, one for each image of the comparison.

    Raises:
        ExportMismatch: If the exported model finds something else; nothing is written.
        FileNotFoundError: If a config, checkpoint or image does not exist.
        ImportError: If a package for the format is missing.
        ValueError: If something does not go together.

    Example:
        >>> export_model('glip_swin-t_o365-goldg', None, ['cat', 'dog'], 'pets.onnx',
        ...              dynamic=True, nms=True)
    """
    prompt = make_prompt(texts, custom_entities=custom_entities)
    cfg, checkpoint = resolve_model(model, weights)
    cfg.model.setdefault('test_cfg', {}).update(test_cfg or {})
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
        pipeline = ImagePipeline(cfg)
    inputs = [pipeline.load(image, index)['img']
              for index, image in enumerate(list_images(images) if len(images) else [])]
    steps = resize_steps(pipeline_cfg(cfg))
    name = 'GLIP' if isinstance(model, Config) else Path(model).stem
    return export(build_model(cfg, checkpoint), prompt, path, images=inputs, model_name=name,
                  resize=steps, decoder=pipeline.loader.imdecode_backend, **options)
