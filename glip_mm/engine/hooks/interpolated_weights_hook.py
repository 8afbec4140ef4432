"""Interpolation between the weights before and after a fine-tuning (WiSE-FT)."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip_mm.checkpoints.convert import normalise_state_dict
from glip_mm.checkpoints.interpolation import interpolate_weights
from glip_mm.checkpoints.reading import read_checkpoint, write_checkpoint
from glip_mm.registry import HOOKS
from glip_mm_cli.training_folder import newest_checkpoint


@HOOKS.register_module()
class InterpolatedWeightsHook(Hook):
    """Retains the capabilities of the base model by interpolating weights after training (WiSE-FT).

    The tuned side is the best checkpoint of the training if there is one, else the last.
    ``interpolated_A.pth`` in the work directory is ``(1 - A) * before + A * after`` and is tested
    like any checkpoint; ``tools/misc/interpolate_weights.py`` draws the curve over A.

    Args:
        base: Checkpoint that the training started from, in any naming: ``_base_.load_from`` of
            the config. It is read again, since a resumed training loads another one.
        alphas: Shares of the tuned weights; 0.5 is a good compromise.

    Raises:
        ValueError: If no base is named or there is no alpha; at the end of a training whose weights
            have no counterpart in the base.
    """

    # after the hook that saves the last checkpoint
    priority = 'VERY_LOW'

    def __init__(self, base: str | None, alphas: Sequence[float] = (0.5, )) -> None:
        if not base:
            raise ValueError('InterpolatedWeightsHook.base is the checkpoint before tuning; give '
                             'the load_from of the config')
        if not alphas:
            raise ValueError('InterpolatedWeightsHook.alphas is empty; give shares of the tuned '
                             'weights, for example (0.5, )')
        self.base, self.alphas = base, tuple(alphas)

    def after_train(self, runner: Runner) -> None:
        """Write a checkpoint for each alpha."""
        if not is_main_process():
            return
        base, tuned = (normalise_state_dict(read_checkpoint(path))[0]
                       for path in (self.base, self._tuned_file(runner)))
        for alpha in self.alphas:
            path = Path(runner.work_dir) / f'interpolated_{alpha:g}.pth'
            write_checkpoint(dict(state_dict=interpolate_weights(base, tuned, alpha),
                                  meta=dict(alpha=alpha, cfg=runner.cfg.pretty_text)), path)
            runner.logger.info(f"weights between '{self.base}' and the tuned ones: '{path}'")

    @staticmethod
    def _tuned_file(runner: Runner) -> str:
        best = runner.message_hub.runtime_info.get('best_ckpt')
        tuned = best if best and Path(best).is_file() else newest_checkpoint(runner.work_dir)
        if tuned is None:
            raise ValueError('InterpolatedWeightsHook needs a checkpoint of the training: give '
                             'default_hooks.checkpoint an interval that it reaches')
        return tuned
