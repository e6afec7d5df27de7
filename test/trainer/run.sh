#!/bin/sh
# Runs these tests inside a trainer image, under the restrictions a shard has.
#
#   test/trainer/run.sh [IMAGE] [unittest's flags]        IMAGE defaults to zg-agent/trainer:cpu, ENGINE to docker
set -eu

image=${1:-zg-agent/trainer:cpu}
here=$(dirname "$(realpath "$0")")
[ $# -eq 0 ] || shift

exec "${ENGINE:-docker}" run --rm --init --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
  --tmpfs /tmp:noexec,nosuid,size=128m --tmpfs /small:noexec,nosuid,size=2m,mode=1777 \
  --pids-limit 64 --memory 1g --user 65532:65532 --env OPENBLAS_NUM_THREADS=1 --env OMP_NUM_THREADS=1 \
  --volume "$here:/test:ro" --workdir /test \
  --entrypoint python3 "$image" -m unittest discover --pattern '*_test.py' "$@"
