"""MMDetection's drawing of tests, of which one picture that fails is no end."""

from typing import Any

from mmdet.engine.hooks import DetVisualizationHook as MMDetVisualizationHook
from mmengine.runner import Runner

from glip_mm.registry import HOOKS
from glip_mm_cli.ending import no_room


@HOOKS.register_module()
class DetVisualizationHook(MMDetVisualizationHook):
    """MMDetection's hook; images that cannot be drawn or written are counted, and named in the log.

    Args:
        *args: Arguments of MMDetection's hook.
    """

    test_out_dir: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._failed = 0

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any,
                       outputs: Any) -> None:
        """Draw the first image of a batch."""
        try:
            super().after_val_iter(runner, batch_idx, data_batch, outputs)
        except Exception as error:
            self._fail(runner, outputs[0], error)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any,
                        outputs: Any) -> None:
        """Draw every image of a batch."""
        folder = self.test_out_dir  # which MMDetection joins to the work directory in every call
        for sample in outputs:
            self.test_out_dir = folder
            try:
                super().after_test_iter(runner, batch_idx, data_batch, [sample])
            except Exception as error:
                self._fail(runner, sample, error)
        self.test_out_dir = folder

    def _fail(self, runner: Runner, sample: Any, error: Exception) -> None:
        if no_room(error):
            raise error
        self._failed += 1
        path = str(sample.get('img_path')).encode(errors='backslashreplace').decode()
        reason = ' '.join(str(error).split())[:300] or type(error).__name__
        runner.logger.warning(f"picture {self._failed} that could not be drawn: '{path}': {reason}")
