#!/usr/bin/env bash
# Counts the public names of the library, as its documentation lists them: scripts/public_names.sh [MOST]
# Crates that it hands on whole (`ebmotion-logs`, `ebmotion-robot`) have a documentation of their own.
#
# With MOST it fails where there are more.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo doc --quiet --no-deps -p ebmotion --features plot
page=${CARGO_TARGET_DIR:-target}/doc/ebmotion/all.html
# Links within the page are the titles of its parts.
count=$(grep -o '<li><a href="[^#]' "$page" | wc -l)
echo "$count public names"
if [ $# -gt 0 ] && [ "$count" -gt "$1" ]; then
    echo "more than $1"
    exit 1
fi
