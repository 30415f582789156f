"""The same sums on every machine.

NumPy and OpenBLAS take the widest instructions that a processor has, and these add up in another order: a model that
was made with AVX2 differs in its last bits from one that was made with AVX-512, on the same data by the same code.
"""

import platform
from collections.abc import Mapping
from importlib import import_module
from typing import Any

__all__ = ["settings_of_common_arithmetic"]

_WIDE_ENOUGH = frozenset({"AVX", "F16C", "FMA3", "AVX2", "X86_V3"})  # in NumPy's names, old and new
_KERNELS = {"OPENBLAS_CORETYPE": "Haswell", "FAISS_OPT_LEVEL": "avx2"}  # both take AVX2 and FMA


def settings_of_common_arithmetic(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables by which a process adds up as any x86-64 machine with AVX2 and FMA does.

    They count from the start of a process, before NumPy is loaded. Empty where this process, whose environment is
    given, has them, or where there is no such arithmetic: on processors of other kinds, and on old ones.
    """
    numpy: Any = import_module("numpy._core._multiarray_umath")  # tells it nowhere else but in print
    has = numpy.__cpu_features__
    if platform.machine().lower() not in {"x86_64", "amd64"} or not (has.get("AVX2") and has.get("FMA3")):
        return {}
    wider = [name for name in numpy.__cpu_dispatch__ if name not in _WIDE_ENOUGH]
    if _KERNELS.items() <= environ.items() and not any(has.get(name) for name in wider):
        return {}
    return {**_KERNELS, "NPY_DISABLE_CPU_FEATURES": " ".join(wider)}
