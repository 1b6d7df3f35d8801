"""The processor and the memory: what they can do, and what that means for the speed of the bundles."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from pipeline.cli.doctor.finding import Finding, Request
from pipeline.inference.sessions import thread_count

GIB = 2**30
# What the largest shipped configuration (configs/respiratory_mtl.yaml) holds while it trains, rounded up.
TRAINING_GIB = 3.0
X86 = ("x86_64", "amd64")
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Name → the flags of which one is enough; what it means where it is here, and where it is not. Times are those of the
# segmenter, one image, measured on 2 cores; `bench unet` measures them anew.
INSTRUCTIONS = {
    "AVX512": (("avx512f",), "used by onnxruntime, OpenVINO and TensorFlow", "they use AVX2"),
    "VNNI": (("avx512_vnni", "avx_vnni"), "8-bit graphs would gain: no bundle here is one", "no bundle here needs it"),
    "BF16": (
        ("avx512_bf16", "amx_bf16"), "OpenVINO in bf16 takes 0.4 of onnxruntime's time (44 for 103 ms)",
        "OpenVINO has no bf16 to gain by: onnxruntime is as fast",
    ),
    "AMX": (
        ("amx_tile",), "OpenVINO takes 0.7, in bf16 0.14 of onnxruntime's time (48, 9.4 for 69 ms)",
        "with it OpenVINO in bf16 takes 9.4 ms where onnxruntime takes 69",
    ),
}  # fmt: skip


def examine_processor(request: Request) -> list[Finding]:
    """Model, cores, instructions, memory."""
    try:
        from archspec.cpu import brand_string
        from archspec.cpu.detect import detected_info

        model, flags = brand_string() or platform.processor(), set(detected_info().features)
    except Exception as fault:  # a reader of this system's own tables may meet whatever stands there
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        told = [Finding("processor", "told", f"{platform.machine()}; what it can do is not known ({reason})")]
    else:
        told = [Finding("processor", "told", f"{model or 'of no known name'}, {platform.machine()}"), *_instructions(flags)]
    return [*told, _cores(), _memory()]


def _instructions(flags: set[str], machine: str = "") -> list[Finding]:
    """flags: as Linux writes them."""
    machine = machine or platform.machine()
    if machine.lower() not in X86:
        return [Finding("instructions", "told", f"{machine}: no x86, and nothing was measured on it")]
    basic = [_basic(flags, "AVX", ("avx",), "TensorFlow does not start: it ends with an illegal instruction"),
             _basic(flags, "AVX2", ("avx2", "fma"), "answers take longer than the documentation says")]  # fmt: skip
    return [
        *basic,
        *(
            Finding(name, "told", f"{'yes' if flags & set(any_of) else 'no'}: {here if flags & set(any_of) else absent}")
            for name, (any_of, here, absent) in INSTRUCTIONS.items()
        ),
    ]


def _basic(flags: set[str], name: str, all_of: Iterable[str], cost: str) -> Finding:
    if flags >= set(all_of):
        return Finding(name, "ok", "yes")
    return Finding(name, "lack", "no", cost, "use a machine, or a virtual machine's setting, that has it")


def _cores() -> Finding:
    try:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    except OSError:
        allowed = None
    logical = os.cpu_count() or 1
    limited = f", {allowed} of them for this process" if allowed not in (None, logical) else ""
    return Finding("cores", "told", f"{logical} logical{limited}; onnxruntime computes with {thread_count()} threads")


def _memory() -> Finding:
    try:
        import psutil
    except ImportError:
        return Finding("memory", "told", "not known")
    held = psutil.virtual_memory()
    limit = memory_limit()
    total, free = min(held.total, limit or held.total), min(held.available, limit or held.available)
    told = f"{free / GIB:.1f} GiB free of {total / GIB:.1f}{' that this container may take' if total < held.total else ''}"
    if free >= TRAINING_GIB * GIB:
        return Finding("memory", "ok", told)
    cost = f"a training of the shipped configurations holds up to {TRAINING_GIB:.0f} GiB, and may be ended by the system"
    return Finding("memory", "lack", told, cost, "end other programs, or lower batch_size and the profiles' sizes (--set)")


def memory_limit(files: Iterable[Path] = MEMORY_LIMITS) -> int | None:
    """What a container may take, in bytes; None where nothing limits it."""
    for file in files:
        try:
            said = file.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if said.isdigit():
            return int(said)
    return None
