"""Compile the Triton kernels of the deformable convolution on a machine without a GPU.

Compiles each kernel as the published models call it (256 channels, both strides) for each type and
each architecture, down to the machine code of ptxas (which Triton includes), and prints
registers and spilled bytes per thread and shared memory per program. Fails if a kernel does not
compile, spills more than a few addresses, or needs more shared memory than the architecture has.
It does not check whether the kernels are correct (tests do, in the interpreter) or fast.

Example:
    pip install --no-deps triton
    python -m dev.speed.compile_triton
    python -m dev.speed.compile_triton --architectures 90 --out kernels.json
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

KERNELS = ('_forward', '_backward_points', '_backward_weight')
#: Name -> (Triton's type, whether products may round to TF32).
TYPES = dict(float32=('fp32', False), tf32=('fp32', True), float16=('fp16', False),
             bfloat16=('bf16', False))
#: Compute capability -> bytes of shared memory per program (CUDA's programming guide).
SHARED_LIMIT = {80: 163 * 1024, 90: 227 * 1024}
#: Spilled bytes per thread: ptxas may spill a few addresses to stay within 128 or 255 registers.
SPILL_LIMIT = 32
#: Arguments with the input's type; the others are float32.
OF_INPUT_TYPE = ('x_ptr', 'weight_ptr', 'grad_ptr')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.compile_triton', description=__doc__.splitlines()[0])
    parser.add_argument('--architectures', nargs='+', type=int, choices=SHARED_LIMIT,
                        default=list(SHARED_LIMIT), metavar='CC',
                        help=f'compute capabilities, of {list(SHARED_LIMIT)} (default: all)')
    parser.add_argument('--types', nargs='+', choices=TYPES, default=list(TYPES))
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument('--out', help='JSON file for the results')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import torch
import triton
from tqdm import tqdm
from triton.backends import nvidia
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from glip_mm.atomic_files import write_atomically

from . import triton_dcn as kernels


class Usage(NamedTuple):
    """Resources of a kernel, the maximum of both strides."""

    kernel: str
    type: str
    architecture: int
    registers: int
    spilled: int
    shared: int

    @property
    def fits(self) -> bool:
        """Return whether spilling is negligible and the shared memory fits."""
        return (self.spilled <= SPILL_LIMIT
                and self.shared <= SHARED_LIMIT[self.architecture])


def compile_kernel(kernel: str, type_: str, architecture: int, channels: int = 256) -> Usage:
    """Compile a kernel for strides 1 and 2.

    Args:
        kernel: Name of the kernel, one of :data:`KERNELS`.
        type_: Name of the type, one of :data:`TYPES`.
        architecture: Compute capability, a key of :data:`SHARED_LIMIT`.
        channels: Number of input and output channels.

    Returns:
        Resources of the kernel.
    """
    function = getattr(kernels, kernel)
    word, tf32 = TYPES[type_]
    found = []
    for stride in (1, 2):
        options = launch_options(channels, stride, tf32)
        constants = {k: v for k, v in options.items() if k in function.arg_names}
        signature = {name: 'constexpr' if name in constants
                     else '*' + (word if name in OF_INPUT_TYPE else 'fp32')
                     if name.endswith('_ptr') else 'i32' for name in function.arg_names}
        # PyTorch's allocations are aligned, which a launch would detect itself
        aligned = {(i,): [['tt.divisibility', 16]] for i, name in enumerate(function.arg_names)
                   if name.endswith('_ptr')}
        compiled = triton.compile(
            ASTSource(function, signature, constants, aligned),
            target=GPUTarget('cuda', architecture, 32),
            options={k: v for k, v in options.items() if k not in function.arg_names})
        found.append((*registers_and_stack(compiled.asm['cubin']), compiled.metadata.shared))
    return Usage(kernel, type_, architecture, *(max(column) for column in zip(*found)))


def launch_options(channels: int, stride: int, tf32: bool) -> dict[str, Any]:
    """Return the launch options of the kernels: constants and number of warps."""
    x, offset, weight = (torch.empty(size, device='meta') for size in (
        (1, 8, 8, channels), (1, 18, 8, 8), (3, 3, channels, channels)))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        return kernels._launch(x, offset, weight, stride)[2]
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def registers_and_stack(cubin: bytes) -> list[int]:
    """Read registers and stack bytes per thread; the kernels use the stack for spilling alone."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'kernel.cubin'
        file.write_bytes(cubin)
        told = subprocess.run(
            [str(Path(nvidia.__path__[0]) / 'bin/cuobjdump'), '--dump-resource-usage', str(file)],
            check=True, capture_output=True, text=True).stdout
    usage = told.split('Function')[1]
    return [int(re.search(rf'{word}:(\d+)', usage)[1]) for word in ('REG', 'STACK')]


def main() -> None:
    """Compile all kernels and print their resources."""
    args = parse_args()
    wanted = [(kernel, type_, architecture) for architecture in args.architectures
              for type_ in args.types for kernel in KERNELS]
    rows = [compile_kernel(*one, args.channels) for one in tqdm(wanted, unit='kernel')]
    print(f'Triton {triton.__version__}, {args.channels} channels\n')
    print('| kernel | type | sm | registers | spilled, bytes | shared memory, KiB |\n'
          '| --- | --- | --- | --- | --- | --- |')
    for row in rows:
        print(f'| `{row.kernel}` | {row.type} | {row.architecture} | {row.registers} | '
              f'{row.spilled} | {row.shared / 1024:.1f} |')
    if args.out:
        write_atomically(args.out, json.dumps(
            dict(triton=triton.__version__, kernels=[row._asdict() for row in rows]),
            indent=1).encode())
    bad = [row for row in rows if not row.fits]
    if bad:
        sys.exit(f'{len(bad)} of {len(rows)} spill or want too much shared memory: '
                 + ', '.join(f'{r.kernel} {r.type} sm_{r.architecture}' for r in bad))


if __name__ == '__main__':
    main()
