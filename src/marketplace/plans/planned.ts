import type { NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"

/** The outputs of every settled shard, by the shard's label. */
export type Settled = ReadonlyMap<string, readonly NamedBlob[]>

/** A shard in its job's plan; index and label never change. */
export interface PlannedShard {
  index: number
  label: string
  spec: ShardSpec
}

/** One output of a settled shard, by the name that the shard gave it. */
export function output(settled: Settled, label: string, name: string): NamedBlob | undefined {
  return settled.get(label)?.find(blob => blob.name === name)
}

export function refused(why: string, hint: string): Fault {
  return new Fault("job-refused", `The job is refused: ${why}.`, { hint })
}
