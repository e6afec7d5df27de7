import type { KeyId } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { Slot } from "../../protocol/message.ts"
import type { CardReport } from "../host/telemetry/telemetry.ts"
import type { Totals } from "../shard/journal.ts"
import type { Progress } from "../shard/progress.ts"
import type { Berth, ShardState } from "../shard/state.ts"
import type { BreakerReport } from "./breakers.ts"
import { nameOf } from "./gpu-berths.ts"
import type { Mode } from "./mode.ts"
import type { Work } from "./work.ts"

/** What a serving agent says of itself, on its control socket and in `zg-agent status`. */
export interface AgentStatus extends Totals {
  agent: KeyId
  /** Its process id. */
  pid: number
  connected: boolean
  mode: Mode
  slots: SlotReport[]
  /** Shards that hold no slot any more: their proofs wait for a receipt or, before that, for audits. */
  proved: ShardReport[]
  /** The breakers that are not closed: what gets no shards for a while, because too many failed on it. */
  breakers: BreakerReport[]
  /** Every card of the machine, serving or not, as it was sampled last. */
  cards: CardStatus[]
}

/** What an agent answers when it is paused, resumed or drained. */
export interface ModeReport {
  mode: Mode
  /** False when it was so already. */
  changed: boolean
  pid: number
  /** What is on the road. */
  shards: ShardReport[]
  /** Until when the leases of paused shards are kept, RFC 3339; null when it is not paused. */
  keptUntil: string | null
  /** Containers of paused shards that run all the same, because the engine did not stop them; null where it does not tell. */
  unstopped: number | null
}

/** A card in a few words, and its newest sample. */
export interface CardStatus extends Omit<CardReport, "gpu"> {
  name: string
  pciAddress: string | null
  vramTotalMiB: number | null
}

export interface SlotReport extends Slot {
  gpus: Berth["gpus"]
  /** Null while it is free. */
  shard: ShardReport | null
}

export interface ShardReport {
  lease: LeaseId
  job: string
  label: string
  /** Where it is on its road. */
  at: ShardState["step"]
  /** Whether it waits for the end of a pause. */
  suspended: boolean
  progress: Progress | null
}

export function cardStatus({ gpu, ...sampled }: CardReport): CardStatus {
  const { pciAddress, vramTotalMiB } = gpu
  return { name: nameOf(gpu), pciAddress, vramTotalMiB, ...sampled }
}

export function shardReport({ state, progress, isHeld }: Work): ShardReport {
  const { job, shard, lease } = state.assignment
  return { lease: lease.id, job, label: shard.label, at: state.step, suspended: isHeld, progress }
}

/** The agent in one line, for a supervisor. */
export function statusLine({
  mode,
  connected,
  slots,
  proved,
}: Pick<AgentStatus, "mode" | "connected" | "slots" | "proved">): string {
  const busy = slots.filter(({ shard }) => shard !== null).length
  const left = busy + proved.filter(({ at }) => at !== "committed").length
  const line = {
    serving: `Serving, ${busy} of ${slots.length} slots busy`,
    paused: `Paused, ${busy} shards wait for \`zg-agent resume\``,
    draining: `Draining, ${left} shards left`,
  }[mode.mode]
  return connected ? line : `${line}; not connected to the marketplace`
}
