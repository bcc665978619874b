#!/usr/bin/env python3
"""Compiles the CUDA kernels with NVRTC, which needs neither a GPU nor a driver.

    pip install nvidia-cuda-nvrtc==13.0.88
    python3 scripts/check_kernels.py

The texts of chains are those that a test of the library writes, the others are files of their own; each is compiled for compute
capability 8.0 and 9.0, and must hold the matrix instructions of its mode and no others.
"""
import ctypes
import glob
import os
import re
import subprocess
import sys
import tempfile

MMA = {"0": None, "1": "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "2": "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"}


def library():
    folders = [os.path.join(p, "nvidia", "cu13", "lib") for p in sys.path] + ["/usr/local/cuda/lib64"]
    for folder in folders:
        builtins, main = glob.glob(f"{folder}/libnvrtc-builtins.so.13*"), glob.glob(f"{folder}/libnvrtc.so.13*")
        if builtins and main:
            ctypes.CDLL(builtins[0], ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(main[0])
    sys.exit("found no libnvrtc.so.13, expected it installed: pip install nvidia-cuda-nvrtc==13.0.88")


def compile(nvrtc, text, arch):
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert nvrtcok(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"chain.cu", 0, None, None))
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture={arch}".encode())
    failed = nvrtc.nvrtcCompileProgram(program, 1, options)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    if failed:
        sys.exit(log.value.decode())
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    assert nvrtcok(nvrtc.nvrtcGetPTX(program, ptx))
    return ptx.value.decode()


def files():
    """Kernels that are the same for every energy."""
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crates", "engine", "src")
    text = lambda *path: open(os.path.join(here, *path)).read()
    gpu = "\n".join(["#define THREADS 256"] + [text("gpu", name) for name in ("device.cuh", "philox.cuh", "kernels.cu")])
    return {"gpu": gpu, "conv": text("engine", "cuda", "conv", "kernels.cu")}


def nvrtcok(code):
    return code == 0


def main():
    nvrtc = library()
    with tempfile.TemporaryDirectory() as folder:
        command = ["cargo", "test", "--release", "-p", "ebmotion-engine", "--features", "learning", "--lib", "--", "every_kernel_text"]
        subprocess.run(command, check=True, env={**os.environ, "EBMOTION_KERNELS": folder}, capture_output=True)
        texts = sorted(glob.glob(f"{folder}/*.cu"))
        assert texts, "the test wrote no kernel"
        everything = {os.path.basename(path): open(path).read() for path in texts} | files()
        for path, text in everything.items():
            mode = (re.search(r"#define MODE (\d)", text) or ["", "0"])[1]
            for arch in ("compute_80", "compute_90"):
                ptx = compile(nvrtc, text, arch)
                found = set(re.findall(r"mma\.sync[\w.]*", ptx))
                assert found == ({MMA[mode]} if MMA[mode] else set()), f"{path}: {found}"
                if os.environ.get("KEEP_PTX"):
                    open(os.path.join(os.environ["KEEP_PTX"], f"{path}.{arch}.ptx"), "w").write(ptx)
                print(f"{path}: {arch}, {len(ptx)} bytes of PTX")


if __name__ == "__main__":
    main()
