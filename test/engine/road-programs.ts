import type { Wish } from "./bench.ts"

/**
 * A program that counts, keeps a checkpoint at each step, tells its progress, and writes one checkpoint more when it is told to end. Its
 * output depends on every step, so that a run that was cut off and one that was not can be compared.
 */
export function counting(steps: number, pause = "0.1"): Wish {
  return {
    argv: [
      "sh",
      "-c",
      `i=0; x=7
      [ -f /shard/checkpoint/at ] && read i x < /shard/checkpoint/at
      i=\${i:-0}; x=\${x:-7}; start=$i
      trap 'echo "$i $x" > /shard/checkpoint/at; exit 85' TERM
      while [ "$i" -lt ${steps} ]; do
        sleep ${pause}
        i=$((i + 1)); x=$(((x * 31 + i) % 1000003))
        echo "$i $x" > /shard/checkpoint/.new; mv /shard/checkpoint/.new /shard/checkpoint/at
        echo "{\\"step\\":$i,\\"steps\\":${steps}}"
      done
      echo "begun at $start" >&2
      echo "$i $x" > /shard/out/result.txt`,
    ],
  }
}

/** What {@link counting} writes at its end. */
export function counted(steps: number): string {
  let x = 7
  for (let i = 1; i <= steps; i++) x = (x * 31 + i) % 1_000_003
  return `${steps} ${x}\n`
}
