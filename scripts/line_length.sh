#!/usr/bin/env bash
# Finds Rust and Markdown lines over 120 characters: in the files given, else in all that git knows. Tables may be wider
# (lines that begin with `|`, in doc comments too), and so may a line that is one address.
set -euo pipefail
export LC_ALL=C.UTF-8 # characters, not bytes
if [ $# -eq 0 ]; then
    cd "$(dirname "$0")/.."
    mapfile -t files < <(git ls-files '*.rs' '*.md')
    set -- "${files[@]}"
fi
# grep's status 1 says that nothing matched; 2 is an error.
long=$(grep -HnE '.{121}' -- "$@" || [ $? -eq 1 ])
long=$(grep -vE '^[^:]*:[0-9]+: *(//[/!] *)?(\||[^ ]*https?://[^ ]*$)' <<<"$long" || true)
if [ -n "$long" ]; then
    printf '%s\n' "$long"
    printf '%s lines over 120 characters\n' "$(wc -l <<<"$long")"
    exit 1
fi
