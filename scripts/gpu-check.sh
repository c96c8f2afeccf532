#!/usr/bin/env bash
# Builds, tests and times the GPU path on a machine that has a GPU, and writes a Markdown table.
#
#   scripts/gpu-check.sh vulkan            # or cuda, wgpu
#   scripts/gpu-check.sh cuda table.md     # default: gpu-check-BACKEND.md
#
# First every kernel against its reference, forward and backward; a missing GPU fails. Then the parts of
# DiffFAS at 256 px (example `full_scale`) on the GPU and on the CPU.
set -euo pipefail

usage() {
    echo "usage: $0 cuda|vulkan|wgpu [table.md]" >&2
    exit 2
}

(($# == 1 || $# == 2)) || usage
backend=$1
case $backend in
cuda | vulkan | wgpu) ;;
*) usage ;;
esac
table=$(realpath "${2:-gpu-check-$backend.md}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# With CI=true a test that finds no GPU fails instead of being skipped.
CI=true cargo test --release -p fas-kernels --features "flex,$backend"

part() {
    printf '\n## %s\n\n' "$1"
    # The rows alone; the time of the whole program counts compilation of kernels too.
    cargo run --release -p fas-examples --no-default-features --features "flex,$backend" \
        --example full_scale -- --device "$1" | grep '^|'
}

unfinished=$(mktemp "$table.XXXXXX")
trap 'rm -f "$unfinished"' EXIT
{
    printf '# GPU check: %s\n\n' "$backend"
    printf 'Commit %s, %s. Tests of fas-kernels: passed.\n' \
        "$(git rev-parse --short HEAD)" "$(rustc --version)"
    printf 'CPU: %s.\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)"
    if command -v nvidia-smi >/dev/null; then
        printf 'GPU: %s.\n' "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader)"
    elif command -v vulkaninfo >/dev/null; then
        printf 'GPU: %s.\n' "$(vulkaninfo --summary | sed -n 's/^\s*deviceName\s*= //p' | head -1)"
    fi
    printf '\nThe first row of a device compiles its kernels. Peak memory is that of the process, not of the GPU.\n'
    part "$backend"
    part flex
} >"$unfinished"
mv "$unfinished" "$table"
echo "wrote $table"
