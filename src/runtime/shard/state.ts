import { z } from "zod"
import { MicroCredits } from "../../protocol/credits.ts"
import { Digest, NamedBlob } from "../../protocol/digest.ts"
import { isFaultCode } from "../../protocol/fault.ts"
import { Timestamp } from "../../protocol/lease.ts"
import { Assignment, Gpu, Usage } from "../../protocol/proof.ts"
import { Bundle } from "../../protocol/statement.ts"
import { PROFILE_NAMES } from "../container/policy.ts"

/** The part of the machine that the shard runs on; it stays the same over a restart. */
export const Berth = z.strictObject({
  /** The slot's id, as the marketplace knows it. */
  slot: z.string(),
  placement: z.discriminatedUnion("device", [
    z.strictObject({ device: z.literal("cpu") }),
    z.strictObject({ device: z.literal("cuda"), uuid: z.string(), through: z.enum(["cdi", "gpus"]) }),
    z.strictObject({ device: z.literal("rocm"), renderNode: z.string(), group: z.int() }),
  ]),
  /** The same cards as the proof names them; none on a CPU. */
  gpus: z.array(Gpu),
  /** The walls in force when the lease began, `strict` when not given: they stay the same for this shard. */
  profile: z.enum(PROFILE_NAMES).optional(),
})
export type Berth = z.infer<typeof Berth>

const held = {
  assignment: Assignment,
  berth: Berth,
}

/** How far a shard had come when it was cut off. */
export const Standing = z.strictObject({
  /** The highest step that it ever told; null when it tells none. */
  step: z.int().min(0).nullable(),
  /** Digest of what lay in its checkpoint; null for an empty one. */
  checkpoint: Digest.nullable(),
})
export type Standing = z.infer<typeof Standing>

/** How often the shard was cut off so far, by its own wish (exit 85) or by the machine: bounded, or it might go on for ever. */
const cuts = {
  cuts: z.int().min(0),
  /** Since when it has not got on: how far it had come, and how many cuts ago that was. Not there before the first cut. */
  stall: z.strictObject({ ...Standing.shape, cuts: z.int().min(0) }).optional(),
}

/** What is kept of its run until it is settled. */
const left = {
  outputs: z.array(NamedBlob),
  /** Between its segments, where the spec has them kept and the program left any. */
  states: z.array(NamedBlob).optional(),
}

const Leased = z.strictObject({ step: z.literal("leased"), ...held })
/** Its inputs and its image are on this machine. */
const Prepared = z.strictObject({ step: z.literal("prepared"), ...held, ...cuts })
const Running = z.strictObject({ step: z.literal("running"), ...held, ...cuts, containerId: z.string() })
/** Its container ended well, and what it left and its log are in the store. */
const Ran = z.strictObject({
  step: z.literal("ran"),
  ...held,
  ...left,
  log: Digest,
  startedOn: Timestamp,
  finishedOn: Timestamp,
  usage: Usage,
})
const Proved = z.strictObject({
  step: z.literal("proved"),
  ...held,
  ...left,
  proof: Digest,
  bundle: Bundle,
})
/** Its proof is in the ledger, and its audits are open: the receipt waits for them. */
const Committed = z.strictObject({ ...Proved.shape, step: z.literal("committed") })
const Settled = z.strictObject({
  step: z.literal("settled"),
  ...held,
  proof: Digest,
  paid: MicroCredits,
  settledOn: Timestamp,
})
const Abandoned = z.strictObject({
  step: z.literal("abandoned"),
  ...held,
  from: z.enum(["leased", "prepared", "running", "ran", "proved", "committed"]),
  code: z.string().refine(isFaultCode, "must be a fault code"),
  message: z.string(),
})

export type Leased = z.infer<typeof Leased>
export type Prepared = z.infer<typeof Prepared>
export type Running = z.infer<typeof Running>
export type Ran = z.infer<typeof Ran>
export type Proved = z.infer<typeof Proved>
export type Committed = z.infer<typeof Committed>
export type Settled = z.infer<typeof Settled>
export type Abandoned = z.infer<typeof Abandoned>

/** Where a shard is on its road; each state carries only what is true there. */
export const ShardState = z.discriminatedUnion("step", [
  Leased,
  Prepared,
  Running,
  Ran,
  Proved,
  Committed,
  Settled,
  Abandoned,
])
export type ShardState = z.infer<typeof ShardState>

/** A shard with something left to do. */
export type OpenState = Leased | Prepared | Running | Ran | Proved | Committed
export type EndState = Settled | Abandoned

export function leased(assignment: Assignment, berth: Berth): Leased {
  return { step: "leased", assignment, berth }
}

export function isOpen(state: ShardState): state is OpenState {
  return state.step !== "settled" && state.step !== "abandoned"
}

/** All that is kept of its run until it is settled. */
export function leftBy({ outputs, states = [] }: Ran | Proved | Committed): NamedBlob[] {
  return [...outputs, ...states]
}
