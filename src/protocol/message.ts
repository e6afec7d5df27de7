import { z } from "zod"
import { CapacityReport } from "./capacity-report.ts"
import { MicroCredits } from "./credits.ts"
import { Digest } from "./digest.ts"
import { isFaultCode } from "./fault.ts"
import { JobId, JobSpec, JobStatus, PaidFrom, PayFrom } from "./job.ts"
import { KeyId, PublicKey, Signature } from "./keys.ts"
import { Id, LeaseId, Nonce, OfferId, SessionId, Timestamp } from "./lease.ts"
import { NanoCreditsPerSecond, Price } from "./price.ts"
import { Assignment } from "./proof.ts"
import { Receipt } from "./receipt.ts"
import { Checkpoint, Device, ShardSpec } from "./shard-spec.ts"
import { Bundle } from "./statement.ts"

/** The WebSocket subprotocol; a peer that does not offer it is turned away before the first frame. */
export const SUBPROTOCOL = "zg.v1"
/** A frame over this closes the socket with 1009. */
export const FRAME_LIMIT_BYTES = 1 << 20

/** Which lease a message speaks of: a stale epoch is refused. */
const held = { lease: LeaseId, epoch: z.int().min(1) }

export const Held = z.strictObject(held)
export type Held = z.infer<typeof Held>

/** Which session a client goes on with over this socket, and the highest number that it received in it. */
export const Resume = z.strictObject({ session: SessionId, received: z.int().min(0) })
export type Resume = z.infer<typeof Resume>

/** The machine as its owner shows it at enrolment. */
export const Machine = z.strictObject({
  platform: z.string().max(80),
  cpu: z.string().max(200),
  cpus: z.int().min(1),
  memoryMiB: z.int().min(1),
  gpus: z.array(z.strictObject({ model: z.string().max(200), vramMiB: z.int().min(0).nullable() })).max(64),
})
export type Machine = z.infer<typeof Machine>

/** One GPU, or the CPU, that runs one shard at a time, and what of the machine the owner gives to it. */
export const Slot = z.strictObject({
  id: z.string().min(1).max(80),
  device: Device,
  cpus: z.number().positive(),
  memoryMiB: z.int().min(1),
  vramMiB: z.int().min(0),
  /** What its owner wants for each second that a shard runs in it, before the marketplace's fee; any price when not given. */
  ask: NanoCreditsPerSecond.optional(),
})
export type Slot = z.infer<typeof Slot>

/** `failing`: the image, or what it needs of this host, failed here several times in a row. */
export const DeclineReason = z.enum(["busy", "draining", "too-large", "not-allowed", "failing"])
export type DeclineReason = z.infer<typeof DeclineReason>

/** The owner's rule that forbids a shard, by its place in the rules, and what the shard asks for instead; for people. */
export const Rule = z.strictObject({
  name: z
    .string()
    .max(80)
    .regex(/^[a-z][A-Za-z]*(\.[a-z][A-Za-z]*)*$/, "must be a rule's name such as limits.outMiB"),
  message: z
    .string()
    .max(400)
    .regex(/^[ -~]*$/, "must be printable ASCII"),
})
export type Rule = z.infer<typeof Rule>

const fromClient = {
  hello: {
    agent: z.string().max(80),
    publicKey: PublicKey,
    nonce: Nonce,
    origin: z.string().max(255),
    resume: Resume.optional(),
  },
  auth: { signature: Signature },
  register: { name: z.string().min(1).max(80), machine: Machine },
  /**
   * The slots this agent serves from now on; an empty list takes it off the market. `holding` is every lease on its road: those of
   * earlier sessions that it leaves out are given back.
   */
  capacity: { slots: z.array(Slot).max(64), holding: z.array(Held).max(1024).optional() },
  /** What the machine can do, as it measured itself, and the SCAI statement that signs it; the newest holds. */
  report: { report: CapacityReport, bundle: Bundle },
  accept: { offer: OfferId },
  /** The rule with `not-allowed`: it is what the buyer is told when no agent may run the job. */
  decline: { offer: OfferId, reason: DeclineReason, rule: Rule.optional() },
  renew: held,
  progress: { ...held, step: z.int().min(0), steps: z.int().min(0), loss: z.number().nullable() },
  /** The shard's newest checkpoint, whose blobs have been uploaded: its next holder goes on from it. */
  checkpoint: { ...held, files: Checkpoint },
  proof: { ...held, bundle: Bundle },
  abandon: {
    ...held,
    code: z.string().refine(isFaultCode, "must be a fault code"),
    message: z.string().max(2000),
  },
  drain: {},
  /** The key makes a re-sent submission harmless: the same key names the same job. */
  submit: { key: Id, job: JobSpec, payFrom: PayFrom.optional() },
  watch: { job: JobId },
  jobs: {},
  account: {},
  /** Has the bond paid out; from then on every shard is audited again. */
  release: {},
  /** Says nothing but its `ack`. */
  ack: {},
}

const fromMarket = {
  challenge: { publicKey: PublicKey, nonce: Nonce, session: SessionId },
  /** The marketplace's own signature over the session, and a bearer token for its registry endpoint. */
  welcome: { agent: KeyId, signature: Signature, token: z.string().max(255), registered: z.boolean() },
  /** Instead of `welcome`: the session that hello named goes on, and this is the highest number received in it. */
  resumed: { signature: Signature, received: z.int().min(0) },
  registered: { agent: KeyId, balance: z.int(), again: z.boolean() },
  reported: { digest: Digest },
  offer: { offer: OfferId, job: JobId, label: z.string(), spec: ShardSpec, price: Price },
  withdrawn: { offer: OfferId },
  lease: { offer: OfferId, ...Assignment.shape },
  renewed: { ...held, notAfter: Timestamp },
  /** The checkpoint is kept for as long as the shard is open. */
  kept: held,
  receipt: { lease: LeaseId, ...Receipt.shape },
  /**
   * The proof is in the ledger, and is paid when its audits, and those of the agent's proofs before it, are over: hand it in again to
   * hear of them. What it commits to and is to be shown in `reveal` has to be uploaded first.
   */
  committed: { ...held, reveal: z.array(Digest).max(2048) },
  /** The lease is not held any more, whether this or something earlier ended it. */
  abandoned: held,
  cancel: { ...held, reason: z.string() },
  submitted: { job: JobId, paidFrom: PaidFrom },
  job: { status: JobStatus },
  jobList: { jobs: z.array(JobStatus) },
  /** Says nothing but its `ack`. */
  ack: {},
  /**
   * All that can be spent, and what of it was `granted` and what is one's `own`; the `bond` is kept back besides; `earned` and `spent` are
   * over all time.
   */
  account: {
    balance: z.int(),
    granted: MicroCredits,
    own: MicroCredits,
    bond: MicroCredits,
    earned: MicroCredits,
    spent: MicroCredits,
    escrow: MicroCredits,
  },
  /** The answer to a message that could not be carried out; the session goes on unless the socket closes. */
  refused: {
    code: z.string().refine(isFaultCode, "must be a fault code"),
    message: z.string(),
    hint: z.string(),
  },
}

/** Messages that may go without a number: the next of their kind replaces them. */
const PASSING = ["ack", "progress", "job"]

/**
 * Every frame: its number in this direction of the session, or 0 for a passing one; in an answer, the number of the frame it answers;
 * and the highest number received in order, once there is one.
 */
const envelope = {
  seq: z.int().min(1),
  re: z.int().min(1).optional(),
  ack: z.int().min(1).optional(),
}
const passingEnvelope = { ...envelope, seq: z.int().min(0) }

type Frames<Bodies extends Record<string, z.ZodRawShape>> = {
  [Type in keyof Bodies & string]: z.ZodObject<
    typeof envelope & { type: z.ZodLiteral<Type> } & Bodies[Type],
    z.core.$strict
  >
}[keyof Bodies & string]

function frames<Bodies extends Record<string, z.ZodRawShape>>(bodies: Bodies) {
  const all = Object.entries(bodies).map(([type, body]) =>
    z.strictObject({
      type: z.literal(type),
      ...(PASSING.includes(type) ? passingEnvelope : envelope),
      ...body,
    }),
  )
  return z.discriminatedUnion("type", all as unknown as [Frames<Bodies>, ...Frames<Bodies>[]])
}

/** What a client sends: an agent with work to sell, a buyer with work to give, often both. */
export const ClientFrame = frames(fromClient)
export type ClientFrame = z.infer<typeof ClientFrame>

export const MarketFrame = frames(fromMarket)
export type MarketFrame = z.infer<typeof MarketFrame>

type WithoutEnvelope<Frame> = Frame extends unknown ? Omit<Frame, "seq" | "re" | "ack"> : never

export type ClientMessage = WithoutEnvelope<ClientFrame>
export type MarketMessage = WithoutEnvelope<MarketFrame>

/** Whether a message may be lost with its socket: how far something is, but never how it ended. */
export function isPassing(message: ClientMessage | MarketMessage): boolean {
  if (message.type === "job") return message.status.state === "waiting" || message.status.state === "running"
  return message.type === "progress" || message.type === "ack"
}

export type ClientType = ClientFrame["type"]
export type MarketType = MarketFrame["type"]

export type ClientFrameOf<Type extends ClientType> = Extract<ClientFrame, { type: Type }>
export type MarketFrameOf<Type extends MarketType> = Extract<MarketFrame, { type: Type }>

export const CLIENT_TYPES = Object.keys(fromClient) as ClientType[]
export const MARKET_TYPES = Object.keys(fromMarket) as MarketType[]
