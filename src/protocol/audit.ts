import { z } from "zod"

/** The least share of a job's shards that is audited, however proven the agent; the marketplace's terms may ask for more. */
const share = z.number().min(0).max(1).default(0)

/** The whole shard by so many agents of different owners, who have to agree on its outputs. */
const Replicate = z
  .strictObject({
    kind: z.literal("replicate"),
    /** How many agents run the shard, the first one included. */
    copies: z.int().min(2).max(7).default(2),
    /** How many equal answers settle it, as long as nobody contradicts. */
    quorum: z.int().min(2).max(7).default(2),
    share,
  })
  .refine(({ copies, quorum }) => quorum <= copies, "quorum cannot be more than copies")

/** Parts of the shard, drawn after its proof is logged, each re-run by another agent from one committed state to the next. */
const Spot = z
  .strictObject({
    kind: z.literal("spot"),
    /** How many parts the agent commits to. One is the whole shard, for programs that keep no checkpoints. */
    segments: z.int().min(1).max(1024).default(10),
    /** How many of them are re-run. */
    drawn: z.int().min(1).max(1024).default(2),
    /** How far two honest states may be apart, as ‖a−b‖/‖b‖ of the update; null asks for equal bytes. */
    tolerance: z.number().positive().max(0.1).nullable().default(null),
    share,
  })
  .refine(({ segments, drawn }) => drawn <= segments, "drawn cannot be more than segments")

/** A shard whose answer is known already, given out in place of a new one and with nothing that tells it apart. */
const Canary = z.strictObject({ kind: z.literal("canary"), share })

/** How the shards of a job are audited; how often is decided by the agent's record and by what it has at stake. */
export const AuditPolicy = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  Replicate,
  Spot,
  Canary,
])
export type AuditPolicy = z.infer<typeof AuditPolicy>
