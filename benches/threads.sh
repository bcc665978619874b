#!/usr/bin/env bash
# Threads of a single tensor operation, 1 against all cores: training steps of both presets and forecasts, in turn.
# usage: benches/threads.sh   (after cargo build --release)
set -euo pipefail
cd "$(dirname "$0")/.."
log=data/hand_gestures/hand_gestures.csv.gz
tool=$PWD/target/release/ebmotion
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seconds() { # threads, then the program's arguments
    local threads=$1 begin end
    shift
    begin=$(date +%s.%N)
    RAYON_NUM_THREADS=$threads "$tool" -q "$@" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    end=$(date +%s.%N)
    awk -v a="$begin" -v b="$end" 'BEGIN { print b - a }'
}
"$tool" -q train "$log" -o "$work/model.safetensors" --set train.steps=200
cores=$(nproc)
printf '%-34s %10s %10s %8s\n' "seconds, median of 3" "1 thread" "$cores threads" ratio
row() {
    local name=$1 ones=() all=()
    shift
    for _ in 1 2 3; do
        ones+=("$(seconds 1 "$@")")
        all+=("$(seconds "$cores" "$@")")
    done
    a=$(printf '%s\n' "${ones[@]}" | sort -g | sed -n 2p)
    b=$(printf '%s\n' "${all[@]}" | sort -g | sed -n 2p)
    awk -v n="$name" -v a="$a" -v b="$b" 'BEGIN { printf "%-34s %10.2f %10.2f %8.2f\n", n, a, b, b / a }'
}
row "train denoising, 300 steps" train "$log" -o "$work/a.safetensors" --overwrite --set train.steps=300
row "train igebm, 200 steps" train "$log" -o "$work/b.safetensors" --overwrite --preset igebm --set train.steps=200
row "forecasts and metrics, 600 windows" report "$work/model.safetensors" "$log" --baselines none --stride 10 -o "$work/report"
