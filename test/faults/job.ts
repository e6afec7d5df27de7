import { type Digest, digestOf } from "../../src/protocol/digest.ts"

/** In micro-credits, as the job file says it. */
export const PRICE = 100_000
export const STEPS = 8

/**
 * What each shard does for two seconds: it counts steps, goes on from its checkpoint, and hands on its input with the last step. What it
 * writes does not tell how often it was cut off.
 */
const PROGRAM = `n=0
[ -s /shard/checkpoint/step ] && n=$(cat /shard/checkpoint/step)
trap 'exit 85' TERM
while [ $n -lt ${STEPS} ]; do
  sleep 0.25 & wait $!
  n=$((n + 1))
  echo $n > /shard/checkpoint/step
  echo "{\\"step\\":$n,\\"steps\\":${STEPS}}"
done
{ cat /shard/in/text.txt; echo $n; } > /shard/out/result.txt
`

export interface Work {
  /** A job file. */
  yaml: string
  input: string
  /** Of the one output that the one shard has. */
  digest: Digest
}

/**
 * A job of one shard. Its input is like no other's, so that blobs really travel.
 * @param image a local tag, or a name with a digest.
 * @param inputPath where the input will be.
 */
export function workOf(name: string, image: string, inputPath: string, device: "cpu" | "cuda"): Work {
  const input = `${name}\n`.repeat(512)
  const shard = {
    command: { argv: ["sh", "-c", PROGRAM] },
    inputs: { "text.txt": inputPath },
    outputs: ["result.txt"],
  }
  const job = {
    kind: "batch",
    name: "faults",
    image,
    resources: { device, cpus: 0.5, memoryMiB: 64 },
    limits: { outMiB: 4, checkpointMiB: 4, tmpMiB: 4, shmMiB: 4 },
    checkpoints: "travel",
    pricePerShard: PRICE / 1_000_000,
    shards: [shard],
  }
  // JSON is YAML too.
  return { yaml: JSON.stringify(job), input, digest: digestOf(Buffer.from(`${input}${STEPS}\n`)) }
}
