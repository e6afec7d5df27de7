import { z } from "zod"
import { AuditPolicy } from "./audit.ts"
import { MicroCredits } from "./credits.ts"
import { Blob, Digest, FileName, NamedBlob } from "./digest.ts"
import { KeyId } from "./keys.ts"
import { NanoCreditsPerSecond, namesOnePrice, ONE_PRICE } from "./price.ts"
import { Command, Image, Limits, Resources, ShardSpec } from "./shard-spec.ts"

export const JobId = z
  .string()
  .regex(/^job-[0-9a-f]{12}$/, "must be a job id such as job-0123456789ab")
  .brand("JobId")
export type JobId = z.infer<typeof JobId>

const ROYALTIES_LIMIT = 16
const ROYALTIES_LIMIT_BASIS_POINTS = 5000

/** What the owner of a data set gets of each settled shard's price. */
export const Royalty = z.strictObject({
  to: KeyId,
  /** Hundredths of a percent. */
  shareBasisPoints: z.int().min(1).max(ROYALTIES_LIMIT_BASIS_POINTS),
  /** The data set's name, for the ledger. */
  for: z
    .string()
    .min(1)
    .max(80)
    .regex(/^\P{C}*$/u, "must be printable"),
})
export type Royalty = z.infer<typeof Royalty>

/** Half of the price is the most that they may come to. */
export function areBounded(royalties: readonly { shareBasisPoints: number }[]): boolean {
  const sum = royalties.reduce((all, { shareBasisPoints }) => all + shareBasisPoints, 0)
  return sum <= ROYALTIES_LIMIT_BASIS_POINTS
}

const shared = {
  name: z.string().min(1).max(80),
  image: Image,
  resources: Resources,
  limits: Limits,
  checkpoints: ShardSpec.shape.checkpoints,
  /** Paid for each settled shard. A job names this or the next. */
  pricePerShard: MicroCredits.optional(),
  /** The most that it pays for each second that a shard's container runs. */
  pricePerSecond: NanoCreditsPerSecond.optional(),
  /** On top of each settled shard's price. */
  royalties: z
    .array(Royalty)
    .max(ROYALTIES_LIMIT)
    .refine(areBounded, "must come to at most 50 percent together")
    .optional(),
  /** How its shards are audited; not at all when not given. */
  audit: AuditPolicy.optional(),
}

/** The byte-level transformer that the reference trainer builds; the product of width and depth makes its size. */
export const Model = z.strictObject({
  layers: z.int().min(1).max(64),
  width: z.int().min(16).max(4096),
  heads: z.int().min(1).max(64),
  context: z.int().min(16).max(8192),
})

/** DiLoCo (arXiv 2311.08105) after a warm-up: rounds of W workers with H inner steps each. */
export const TrainJob = z
  .strictObject({
    kind: z.literal("train"),
    ...shared,
    /** The training text in slices; worker w takes every slice i with i mod workers = w. */
    text: z.array(Blob).min(1).max(4096),
    heldOut: Blob,
    model: Model,
    seed: z.int().min(0),
    batch: z.int().min(1).max(4096),
    warmUp: z.strictObject({ steps: z.int().min(1), learningRate: z.number().positive() }),
    rounds: z.int().min(1).max(10_000),
    workers: z.int().min(1).max(64),
    /** AdamW inside a round; the rate falls in a straight line over all rounds. */
    inner: z.strictObject({
      steps: z.int().min(1).max(100_000),
      learningRate: z.number().positive(),
      finalLearningRate: z.number().positive(),
    }),
    /** SGD with Nesterov momentum over the rounds' averaged updates. */
    outer: z.strictObject({ learningRate: z.number().positive(), momentum: z.number().min(0).max(1) }),
    sample: z.strictObject({ prompt: z.string().max(1024), bytes: z.int().min(0).max(65_536) }),
  })
  .refine(namesOnePrice, ONE_PRICE)
export type TrainJob = z.infer<typeof TrainJob>

/** Independent shards of one image. */
export const BatchJob = z
  .strictObject({
    kind: z.literal("batch"),
    ...shared,
    shards: z
      .array(
        z.strictObject({
          command: Command,
          inputs: z.array(NamedBlob).max(1024),
          outputs: z.array(FileName).min(1).max(256),
        }),
      )
      .min(1)
      .max(4096),
  })
  .refine(namesOnePrice, ONE_PRICE)
export type BatchJob = z.infer<typeof BatchJob>

export const JobSpec = z.discriminatedUnion("kind", [TrainJob, BatchJob])
export type JobSpec = z.infer<typeof JobSpec>

export const ShardState = z.enum(["ready", "offered", "leased", "committed", "settled", "failed"])
export type ShardState = z.infer<typeof ShardState>

export const ShardStatus = z.strictObject({
  index: z.int().min(0),
  /** The shard's place in the plan, such as `round-2/train-0`. */
  label: z.string(),
  state: ShardState,
  attempt: z.int().min(0),
  agent: KeyId.nullable(),
  step: z.int().min(0),
  steps: z.int().min(0),
  loss: z.number().nullable(),
  /** SHA-256 of the proof's payload, once it is settled. */
  proof: Digest.nullable(),
  /** What it cost with royalties, once it is settled; null before, and for shards of before this was kept. */
  cost: MicroCredits.nullable(),
})
export type ShardStatus = z.infer<typeof ShardStatus>

/** Out of which accounts credits were set aside. */
export const PaidFrom = z.strictObject({ granted: MicroCredits, earned: MicroCredits })
export type PaidFrom = z.infer<typeof PaidFrom>

/** `any`: what was granted first, then what was earned. `self`: earned credits alone. */
export const PayFrom = z.enum(["any", "self"])
export type PayFrom = z.infer<typeof PayFrom>

export const JobState = z.enum(["waiting", "running", "done", "failed"])
export type JobState = z.infer<typeof JobState>

export const JobStatus = z.strictObject({
  id: JobId,
  name: z.string(),
  kind: z.enum(["train", "batch"]),
  state: JobState,
  /** Why it waits or failed; null while all is well. */
  reason: z.string().nullable(),
  rounds: z.int().min(0),
  /** Held-out loss in nats per byte, by the label of the evaluated state: `untrained`, `warm-up`, `round-1`, … */
  losses: z.array(z.strictObject({ label: z.string(), loss: z.number() })),
  /** Shards planned so far, finished ones included, in order of their index. */
  shards: z.array(ShardStatus),
  shardsTotal: z.int().min(1),
  /** What was set aside at submission, and what of it has been paid out. */
  escrow: MicroCredits,
  spent: MicroCredits,
  paidFrom: PaidFrom,
  /** Files to fetch: all of a batch's outputs, or a trained model and its samples. */
  results: z.array(NamedBlob),
})
export type JobStatus = z.infer<typeof JobStatus>
