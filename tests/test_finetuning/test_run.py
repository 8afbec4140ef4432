"""The runs of a job."""

from argparse import Namespace

import pytest

from glip_mm.file_lock import exclusive
from glip_mm.finetuning.run import run_seeds


def test_two_processes_do_not_write_into_one_folder(tmp_path):
    with exclusive(tmp_path / '.lock'):
        with pytest.raises(SystemExit, match='another process is fine-tuning in .* --work-dir'):
            run_seeds(Namespace(), tmp_path, None, {}, [])
