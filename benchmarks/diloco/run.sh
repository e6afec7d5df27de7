#!/bin/sh
# Runs check.py in the trainer image, shut off from the network.
#
#   benchmarks/diloco/run.sh CORPUS [check.py's flags]        IMAGE=zg-agent/trainer:cpu, ENGINE=docker
#
# CORPUS is a text file, for example the one in zg-agent/corpus:kjv (see images/corpus/Dockerfile).
set -eu

corpus=$(realpath "${1:?usage: benchmarks/diloco/run.sh CORPUS [--seeds 0 1]}")
here=$(dirname "$(realpath "$0")")
shift

exec "${ENGINE:-docker}" run --rm --init --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
  --tmpfs /tmp:noexec,size=256m --user 65532:65532 \
  --env OPENBLAS_NUM_THREADS=1 --env OMP_NUM_THREADS=1 \
  --volume "$here:/benchmark:ro" --volume "$corpus:/corpus.txt:ro" \
  --entrypoint python3 "${IMAGE:-zg-agent/trainer:cpu}" /benchmark/check.py --corpus /corpus.txt "$@"
