#!/usr/bin/env bash
# Builds `ebmotion` with the feature `cuda` on a machine without GPU, driver or CUDA toolkit (GPU.md).
#
#   scripts/build_cuda.sh [more arguments of cargo build]
#
# CUDA_BUILD (default ~/.cache/ebmotion-cuda) keeps the compiler, two changed crates and the build; the program ends up in
# its folder `out`. CUDA_COMPUTE_CAP (default 90) is the GPU's compute capability.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
keep=${CUDA_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/ebmotion-cuda}
mkdir -p "$keep"/{wheels,crates,out,link}

# The compiler, from NVIDIA's packages on PyPI. Drivers of the 580 series take no newer PTX than CUDA 13.0's.
kit=$keep/kit/nvidia/cu13
if [ ! -e "$keep/kit/complete" ]; then
    rm -rf "$keep/kit"
    python3 -m pip download -q --no-deps --only-binary=:all: -d "$keep/wheels" \
        nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
        nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
    for wheel in "$keep"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$keep/kit"; done
    chmod -R a+rx "$kit/bin" "$kit/nvvm/bin" # the mode is not unpacked
    ln -sfn lib "$kit/lib64"
    touch "$keep/kit/complete"
fi
# A folder with the static runtime alone: then the program needs no libcudart.so.
ln -sfn "$kit/lib/libcudart_static.a" "$keep/link/libcudart.a"

# Copies of two crates with one change each; the project's own lock file stays as it is.
rsync -a --delete --exclude target --exclude .git "$here/" "$keep/source/" 2>/dev/null || {
    rm -rf "$keep/source" && mkdir "$keep/source"
    (cd "$here" && tar cf - --exclude=./target --exclude=./.git .) | tar xf - -C "$keep/source"
}
cd "$keep/source"
cargo fetch -q
overrides=()
for name in candle-core candle-kernels; do
    read -r version folder < <(cargo metadata --format-version 1 --features cudnn 2>/dev/null | python3 -c '
import json, os, sys
for p in json.load(sys.stdin)["packages"]:
    if p["name"] == sys.argv[1]:
        print(p["version"], os.path.dirname(p["manifest_path"]))' "$name")
    copy=$keep/crates/$name-$version
    overrides+=(--config "patch.crates-io.$name.path=\"$copy\"")
    if [ -e "$copy/changed" ]; then continue; fi
    rm -rf "$copy" && cp -r "$folder" "$copy" && rm -f "$copy"/.cargo-ok "$copy"/.cargo_vcs_info.json
    python3 - "$name" "$copy" <<'PY'
import sys
name, copy = sys.argv[1:]
path = copy + ("/Cargo.toml" if name == "candle-core" else "/build.rs")
text = open(path).read()
if name == "candle-core":
    # The libraries are opened when the program runs.
    assert text.count('"dynamic-linking"') == 1, "candle-core is not as expected"
    text = text.replace('"dynamic-linking"', '"dynamic-loading"')
else:
    # Mixture-of-experts kernels: most of the time, and not used here.
    start, end = text.index("    let mut moe_sources"), text.rindex("    Ok(())\n}")
    text = text[:start] + "    let _ = CUTILE_FEATURE;\n" + text[end:]
open(path, "w").write(text)
PY
    touch "$copy/changed"
done

export CUDA_HOME=$kit NVCC=$kit/bin/nvcc PATH=$kit/bin:$PATH CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} CUDARC_CUDA_VERSION=13000
export LIBRARY_PATH=$keep/link${LIBRARY_PATH:+:$LIBRARY_PATH} CARGO_TARGET_DIR=$keep/target
unset CUDA_PATH CUDA_ROOT CUDA_TOOLKIT_ROOT_DIR
cargo build --release -p ebmotion-cli --no-default-features --features parquet,cudnn "${overrides[@]}" "$@"
strip -o "$keep/out/ebmotion" "$CARGO_TARGET_DIR/release/ebmotion"

# It must start where there is no NVIDIA library.
if readelf -d "$keep/out/ebmotion" | grep NEEDED | grep -E 'libcu|libnv'; then
    echo "the program links an NVIDIA library" >&2
    exit 1
fi
ls -l "$keep/out/ebmotion"
