import { digestOf } from "../../../../src/protocol/digest.ts"
import { ShardSpec } from "../../../../src/protocol/shard-spec.ts"

export const MARKET = "market.example:7464"

/** A spec as it comes over the wire, with what a test changes. */
export function rawSpec(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    image: { name: "team/net", digest: digestOf("image") },
    command: { argv: ["true"] },
    inputs: [],
    outputs: ["result"],
    resources: {},
    limits: {},
    ...change,
  }
}

export function specOf(change: Record<string, unknown> = {}): ShardSpec {
  return ShardSpec.parse(rawSpec(change))
}

export function imageNamed(name: string): ShardSpec["image"] {
  return specOf({ image: { name, digest: digestOf("image") } }).image
}
