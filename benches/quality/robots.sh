#!/usr/bin/env bash
# Forecasts of a robot's logs beside baselines: benches/quality/robots.sh SET FOLDER OUT [SEEDS]
#
# SET is g1_inspire (a LeRobot dataset), adroit_door (NumPy archives) or hiro_arm (CSV); FOLDER is where its files lie.
# OUT gets the model, the report and the trainings, which are kept: an interrupted run goes on.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,6p' "$0"; exit 2; }
set_name=$1 folder=$2 out=$3 seeds=${4:-3}
case $set_name in
    # The hand's channels change in a quarter of the frames at most.
    g1_inspire) read=(--rate 15) horizon=4s ;;
    # Of 39 observations the first 27 are joints; there is no clock, and 100 Hz is the simulation's control rate.
    adroit_door) read=(--hz 100 --skip-short --channels "$(printf 'observations[%d],' {0..25})observations[26]") horizon=1s ;;
    # Six joints and the wrench at the wrist, recorded at 200 Hz.
    hiro_arm) read=(--rate 25) horizon=4s ;;
    *) echo "a set is g1_inspire, adroit_door or hiro_arm, not $set_name" >&2; exit 2 ;;
esac
ebmotion=${EBMOTION:-./target/release/ebmotion}
mkdir -p "$out"
logs=("$folder")
[ "$set_name" = adroit_door ] && logs=("$folder"/*.npz)
[ -e "$out/model.safetensors" ] || "$ebmotion" train "${logs[@]}" "${read[@]}" -o "$out/model.safetensors"
"$ebmotion" report "$out/model.safetensors" "${logs[@]}" --seeds "$seeds" --stride 10 --horizon "$horizon" \
    --baselines hold,velocity,var,var_sampled,fc,flow --keep "$out/trainings" -o "$out/report"
