#!/bin/sh
# Runs measure.py in the trainer image, shut off from the network.
#
#   benchmarks/segments/run.sh CORPUS        IMAGE=zg-agent/trainer:cpu, ENGINE=docker
#
# CORPUS is a text file, for example the one in zg-agent/corpus:kjv (see images/corpus/Dockerfile).
set -eu

corpus=$(realpath "${1:?usage: benchmarks/segments/run.sh CORPUS}")
here=$(dirname "$(realpath "$0")")
# On a disk, because what is measured there is the writing of states, too.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 777 "$scratch"

"${ENGINE:-docker}" run --rm --init --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
  --tmpfs /tmp:noexec,size=512m --user 65532:65532 \
  --env OPENBLAS_NUM_THREADS=1 --env OMP_NUM_THREADS=1 \
  --volume "$here:/benchmark:ro" --volume "$corpus:/corpus.txt:ro" --volume "$scratch:/scratch" \
  --entrypoint python3 "${IMAGE:-zg-agent/trainer:cpu}" /benchmark/measure.py --corpus /corpus.txt --scratch /scratch
