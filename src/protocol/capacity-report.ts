import { z } from "zod"
import { canonicalJson, type Digest, digestOf } from "./digest.ts"
import { Fault } from "./fault.ts"
import type { PublicKey } from "./keys.ts"
import { Timestamp } from "./lease.ts"
import { Measurement, Unmeasured } from "./measurement.ts"
import { PciId, PciRevision } from "./pci-id.ts"
import { type Bundle, openBundle, Resource, resource, STATEMENT_TYPE } from "./statement.ts"
import { ThrottleReason } from "./throttle.ts"

export const SCAI = "https://in-toto.io/attestation/scai/v0.3"

/** What can be measured by itself; a report of all of them is whole. */
export const Part = z.enum(["gpus", "host", "network", "work"])
export type Part = z.infer<typeof Part>

export function isWhole({ parts }: Pick<CapacityReport, "parts">): boolean {
  return Part.options.every(part => parts.includes(part))
}

const Text = z.string().max(200)

/** How much was measured: about a minute, a few, or ten with the tests of soundness. */
export const Depth = z.enum(["quick", "standard", "full"])
export type Depth = z.infer<typeof Depth>

/** A way to a card through WebGPU, as the adapter describes itself. */
export const Adapter = z.strictObject({
  vendor: Text,
  architecture: Text,
  device: Text,
  description: Text,
  /** A processor that plays a card, such as SwiftShader or llvmpipe: never a GPU to be sold. */
  isSoftware: z.boolean(),
})
export type Adapter = z.infer<typeof Adapter>

/** What a test of soundness found: errors make a card degraded. */
export const Soundness = z.strictObject({
  test: z.enum(["vram-patterns", "repeated-kernel"]),
  /** Bytes tested, or results compared. */
  checked: z.int().min(0),
  seconds: z.number().min(0),
  errors: z.int().min(0),
  /** First and last wrong byte within what could be allocated; null where there is none. */
  range: z.tuple([z.int().min(0), z.int().min(0)]).nullable(),
})
export type Soundness = z.infer<typeof Soundness>

/** A moment of a sustained run; what was not told is null. */
export const Moment = z.strictObject({
  second: z.number().min(0),
  flops: z.number().min(0).nullable(),
  coreMhz: z.number().nullable(),
  memoryMhz: z.number().nullable(),
  temperatureC: z.number().nullable(),
  powerW: z.number().nullable(),
  fanPct: z.number().nullable(),
  /** Empty: it ran as fast as it could. */
  throttle: z.array(ThrottleReason).max(ThrottleReason.options.length).nullable(),
})
export type Moment = z.infer<typeof Moment>

/** One card: `gpus` and the proofs name it by the same identity. */
export const CardReport = z.strictObject({
  identity: Text,
  vendor: z.enum(["nvidia", "amd", "intel"]),
  name: Text.nullable(),
  uuid: Text.nullable(),
  pciAddress: Text.nullable(),
  /** What the card is, whatever it is called; null where the machine does not tell. */
  pciId: PciId.nullable(),
  pciRevision: PciRevision.nullable(),
  vramMiB: z.int().min(0).nullable(),
  driver: Text.nullable(),
  adapter: Adapter.nullable(),
  /** `degraded`: it computes or remembers wrongly. `unmeasured`: nothing is known. */
  state: z.enum(["sound", "degraded", "unmeasured"]),
  figures: z.array(Measurement).max(64),
  /** With all cards at work at once; `figures` are each card alone. */
  together: z.array(Measurement).max(64),
  unmeasured: z.array(Unmeasured).max(64),
  soundness: z.array(Soundness).max(8),
  /** What went wrong while it was measured; for people. */
  faults: z
    .array(z.strictObject({ code: Text, message: z.string().max(400), hint: z.string().max(400) }))
    .max(16),
  /** A sustained run, thinned so that a report of many cards fits into one frame. */
  timeline: z.array(Moment).max(100),
})
export type CardReport = z.infer<typeof CardReport>

/** Figures that belong to no card. */
const Figures = { figures: z.array(Measurement).max(64), unmeasured: z.array(Unmeasured).max(64) }

/** What a machine can do, as it was measured on it. */
export const CapacityReport = z.strictObject({
  depth: Depth,
  parts: z.array(Part).min(1).max(Part.options.length),
  startedOn: Timestamp,
  finishedOn: Timestamp,
  agent: Text,
  host: z.strictObject({
    platform: Text,
    kernel: Text,
    cpu: Text,
    physicalCores: z.int().min(1).nullable(),
    logicalCores: z.int().min(1),
    /** Such as `avx2`; null where the machine does not tell. */
    instructionSets: z.array(Text).max(16).nullable(),
    memoryMiB: z.int().min(1),
    ...Figures,
  }),
  cards: z.array(CardReport).max(64),
  /** Adapters that are no card, measured to show that the way works. */
  software: z.array(z.strictObject({ adapter: Adapter, ...Figures })).max(8),
  /** The trainer's own throughput in the sandbox that shards get; null where it was not asked for. */
  work: z
    .strictObject({
      device: z.enum(["cpu", "cuda", "rocm"]).nullable(),
      engine: Text.nullable(),
      isolation: Text.nullable(),
      ...Figures,
    })
    .nullable(),
  /** The newest jail test of this machine; null where none is known. */
  jail: z.strictObject({ passed: z.boolean(), testedOn: Timestamp, engine: Text, runtime: Text }).nullable(),
})
export type CapacityReport = z.infer<typeof CapacityReport>

const Attribute = z.strictObject({
  attribute: z.string().max(80),
  target: z.strictObject({ uri: z.string().max(300) }),
  conditions: z.record(z.string(), z.union([z.string(), z.number()])),
})

/**
 * in-toto Statement v1 with a SCAI predicate v0.3 (https://github.com/in-toto/attestation/blob/main/spec/predicates/scai.md): the subject is
 * the report, and each of its figures is an attribute.
 */
export const CapacityStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([Resource]),
  predicateType: z.literal(SCAI),
  predicate: z.strictObject({ attributes: z.array(Attribute).max(4096) }),
})
export type CapacityStatement = z.infer<typeof CapacityStatement>

export function capacityStatement(report: CapacityReport): CapacityStatement {
  return {
    _type: STATEMENT_TYPE,
    subject: [resource("capacity-report", reportDigest(report))],
    predicateType: SCAI,
    predicate: { attributes: attributesOf(report) },
  }
}

/** What a report is known by. */
export function reportDigest(report: CapacityReport): Digest {
  return digestOf(canonicalJson(report))
}

/**
 * Checks that this key signed this very report, with all of its figures.
 * @throws Fault `proof-malformed`, `proof-signature-wrong` or `proof-mismatch`.
 */
export function checkCapacity(bundle: Bundle, key: PublicKey, report: CapacityReport): void {
  const said = openBundle(bundle, key, CapacityStatement)
  if (canonicalJson(said) === canonicalJson(capacityStatement(report))) return
  throw new Fault("proof-mismatch", "The signed statement is about another capacity report.", {
    hint: "Run `zg-agent bench` again: report and signature are made together.",
    facts: { report: reportDigest(report), signed: said.subject[0].digest.sha256 },
  })
}

function attributesOf({ host, cards, work, jail }: CapacityReport): z.infer<typeof Attribute>[] {
  const about = (name: string, figures: Measurement[], mode?: string) =>
    figures.map(({ name: attribute, unit, median, lowerQuartile, upperQuartile, repeats, clock }) => ({
      attribute,
      target: { uri: `zg:${name}` },
      conditions: { ...(mode && { mode }), unit, median, lowerQuartile, upperQuartile, repeats, clock },
    }))
  const said = (attribute: string, name: string) => ({
    attribute,
    target: { uri: `zg:${name}` },
    conditions: {},
  })
  return [
    ...about("host", host.figures),
    ...cards.flatMap(({ identity, state, figures, together }) => [
      said(state, `card/${identity}`),
      ...about(`card/${identity}`, figures, "alone"),
      ...about(`card/${identity}`, together, "together"),
    ]),
    ...about("work", work?.figures ?? []),
    ...(jail === null ? [] : [said(jail.passed ? "jail-holds" : "jail-broken", "sandbox")]),
  ]
}
