"""MMEngine's checkpoints, of which one is complete at every moment of a training."""

from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import IterBasedTrainLoop, Runner

from glip_mm.atomic_files import remove_temporary, write_atomically
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, which deletes only after it has written, and misses no validation.

    MMEngine deletes outdated checkpoints first, so that a training killed while it saves may have
    none at all (``max_keep_ckpts=1``), and a training killed while it validates goes on without
    that validation. Here the new file is complete before an old one goes, and a training that
    resumes where a validation was due begins with it. Files are written atomically.

    Args:
        *args: Arguments of MMEngine's hook.
    """

    backend_args: dict | None
    keep_ckpt_ids: deque

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._written_at: dict[str, Any] = {}
        if not (self.backend_args or self.file_client_args or '://' in str(self.out_dir)):
            self.backend_args = dict(backend='atomic')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note at which epoch and iteration a checkpoint was written."""
        self._written_at = {
            name: value for name, value in (checkpoint.get('message_hub') or {}).get(
                'runtime_info', {}).items() if name in ('epoch', 'iter')}

    def before_train(self, runner: Runner) -> None:
        """Make up for a validation that the interrupted run did not finish, or whose file is lost.
        """
        super().before_train(runner)
        if is_main_process() and Path(self.out_dir).is_dir():
            remove_temporary(self.out_dir, r'.+\.pth|last_checkpoint')
        info = runner.message_hub.runtime_info
        if runner.iter:  # resumed
            self.last_ckpt = info.get('last_ckpt')
            if is_main_process() and self.last_ckpt:
                self._name_last(runner.work_dir, Path(self.last_ckpt).name)
        lost = self._find_best(runner)
        if validation_is_due(runner) and (lost or info.get('validated_iter') != runner.iter):
            runner.logger.info(f'iteration {runner.iter} was not validated to the end before the '
                               'interruption: it is now')
            for name, value in self._written_at.items():  # the best checkpoint tells them, too
                runner.message_hub.update_info(name, value)
            runner.val_loop.run()

    def _name_last(self, folder: str, name: str) -> None:
        """Write ``last_checkpoint`` if it names a file that went before the run was killed."""
        path, checkpoint = Path(folder, 'last_checkpoint'), Path(self.out_dir, name)
        named = path.read_text(encoding='utf-8').strip() if path.is_file() else ''
        if checkpoint.exists() and not (named and Path(named).exists()):
            write_atomically(path, str(checkpoint).encode())

    def _find_best(self, runner: Runner) -> bool:
        """Find the best checkpoints so far; return whether one is lost."""
        if not self.save_best:
            return False
        lost = False
        for key, path in self._best.items():
            if not path or self.file_backend.exists(path):
                continue
            name = self.file_backend.join_path(self.out_dir, Path(path).name)
            end = f'_{key}' if key else ''
            if self.file_backend.exists(name):  # of a folder that was moved
                runner.message_hub.update_info(f'best_ckpt{end}', name)
            else:
                runner.logger.warning(f"the best checkpoint so far, '{path}', is not there: the "
                                      'best one of those that follow takes its place')
                lost, name = True, None
                for info in ('best_ckpt', 'best_score'):
                    runner.message_hub.pop_info(f'{info}{end}')
            self._best = {**self._best, key: name}
        return lost

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Note the validation, and save a checkpoint that is the best so far."""
        runner.message_hub.update_info('validated_iter', runner.iter)
        super().after_val_epoch(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [*(k for k in self.keep_ckpt_ids if k != step), step]
            outdated = kept[:-self.max_keep_ckpts]
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            # with the outdated ones: where this process is killed before it deletes them, the
            # resumed one does
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler, meta=meta, by_epoch=self.by_epoch,
            backend_args=self.backend_args, **self.args)
        if is_main_process():
            write_atomically(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt.encode())
            for old in outdated:
                self._remove(self.file_backend.join_path(self.out_dir,
                                                         self.filename_tmpl.format(old)))
        if outdated:  # they are gone for the checkpoints that follow, as for a resumed training
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not self.save_best:
            return
        absent = dict.fromkeys(k for k in self.key_indicators if k not in {*metrics, 'auto'})
        if absent:  # CocoMetric gives nothing where nothing was found
            runner.logger.warning(f'the validation of iteration {runner.iter} gave no '
                                  f"{', '.join(map(repr, absent))} (save_best), and is not the "
                                  f'best so far; it gave {list(metrics)}')
        before = self._best
        self._best = dict.fromkeys(before)  # MMEngine deletes what it knows of
        super()._save_best_checkpoint(runner, {**metrics, **absent})
        now = self._best
        self._best = {key: now.get(key) or path for key, path in before.items()} | {
            key: path for key, path in now.items() if path}
        if is_main_process():
            for key, path in before.items():
                if path and now.get(key) not in (None, path):
                    self._remove(path)

    @property
    def _best(self) -> dict[str, str | None]:
        """Return the best checkpoint of each metric."""
        single = len(self.key_indicators) == 1
        return {'': self.best_ckpt_path} if single else dict(self.best_ckpt_path_dict)

    @_best.setter
    def _best(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['']
        else:
            self.best_ckpt_path_dict = paths

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # of DeepSpeed
            self.file_backend.rmtree(path)


def validation_is_due(runner: Runner) -> bool:
    """Return whether a training validates at its present iteration, before it goes on."""
    loop = runner.train_loop
    if runner.val_loop is None or not hasattr(loop, '_decide_current_val_interval'):
        return False
    loop._decide_current_val_interval()
    by_epoch = not isinstance(loop, IterBasedTrainLoop)
    if by_epoch and loop.iter != loop.epoch * len(loop.dataloader):
        return False  # inside an epoch, at whose end it does
    now, end = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
    return now > 0 and now >= loop.val_begin and (now % loop.val_interval == 0 or now == end)
