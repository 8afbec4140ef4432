"""Export of a model that is given by its config or name, and weights."""

from collections.abc import Sequence, Sized
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.deploy import export, resize_steps
from glip_mm.deploy.checking import Difference
from glip_mm.registry import SCOPE

from .building import build_model, resolve_model
from .images import ImagePipeline, pipeline_cfg
from .inputs import Input, list_images
from .prompts import Texts, make_prompt, warn_of_names


def export_model(model: str | PathLike | Config,
                 weights: str | PathLike | None,
                 texts: Texts,
                 path: str | PathLike,
                 custom_entities: bool = False,
                 images: Input | Sequence[Input] = (),
                 test_cfg: dict[str, Any] | None = None,
                 **options: Any) -> list[Difference]:
    """Export a detector with a fixed vocabulary, after comparing it with the original.

    Args:
        model: Config, name or model, see :class:`GLIPInferencer`.
        weights: Checkpoint, see :class:`GLIPInferencer`.
        texts: Classes or caption to detect, see :func:`make_prompt`.
        path: Path of the exported file.
        custom_entities: Whether a string in ``texts`` holds names separated by ``'. '``.
        images: Images for the comparison; default: a generated one.
        test_cfg: Entries that override those of the config's ``model.test_cfg``.
        options: Further arguments of :func:`glip_mm.deploy.export`.

    Returns:
        The differences, one for each image of the comparison.

    Raises:
        ExportMismatch: If the exported model's detections differ; nothing is written.
        FileNotFoundError: If a config, checkpoint or image does not exist.
        ImportError: If a package for the format is missing.
        ValueError: If the options contradict each other or the model.

    Example:
        >>> export_model('glip_swin-t_o365-goldg', None, ['cat', 'dog'], 'pets.onnx',
        ...              dynamic=True, nms=True)
    """
    prompt = make_prompt(texts, custom_entities=custom_entities)
    cfg, checkpoint = resolve_model(model, weights)
    cfg.model.setdefault('test_cfg', {}).update(test_cfg or {})
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
        pipeline = ImagePipeline(cfg)
    found = [] if isinstance(images, Sized) and not len(images) else list_images(images)
    inputs = [pipeline.load(image, index)['img'] for index, image in enumerate(found)]
    steps = resize_steps(pipeline_cfg(cfg))
    name = 'GLIP' if isinstance(model, Config) else Path(model).stem
    glip: Any = build_model(cfg, checkpoint)
    warn_of_names(glip, [prompt])
    return export(glip, prompt, fspath(path), images=inputs, model_name=name, resize=steps,
                  decoder=pipeline.loader.imdecode_backend, color_type=pipeline.loader.color_type,
                  **options)
