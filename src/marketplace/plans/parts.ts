import { type Blob, type Digest, digestOf, type NamedBlob } from "../../protocol/digest.ts"
import { resultManifest } from "../../protocol/proof.ts"
import { RUN_LOG_FILE, type RunLogLine } from "../../protocol/run-log.ts"
import type { ShardSpec } from "../../protocol/shard-spec.ts"
import { partTimeMs } from "../audit/cost.ts"
import { compareSpec, finishSpec, replaySpec, STATE_FILE } from "./trainer.ts"

/** What is run to find out about a proof, as a shard of its own. */
export interface Part {
  /** The segment, or the number of segments for the outputs that are made from the last state; 0 for a whole shard; higher for comparisons. */
  number: number
  spec: ShardSpec
  /** What the proof says that it comes to, as the digest of the result manifest; null for a comparison, of which it says nothing. */
  claimed: Digest | null
  /** How many of these the shard would make: each is paid so much less. */
  of: number
  /** Whether it comes to the same bytes on every machine, or need not. */
  isForAll: boolean
  /** How far states may be apart, and which ones the proof has before and after this segment; null where bytes have to be equal. */
  within: { tolerance: number; before: Blob; after: Blob } | null
  /** The states that are compared here, and the segment that they come from. */
  compares: { segment: number; states: readonly [Digest, Digest] } | null
}

/** The whole shard once more. */
export function wholePart(spec: ShardSpec, outputs: NamedBlob[]): Part {
  return { number: 0, spec, claimed: resultOf(outputs), of: 1, isForAll: false, within: null, compares: null }
}

/** How far two states are apart that a segment has led to. */
export function comparison(
  { number: segment, spec, of, within }: Pick<Part, "number" | "spec" | "of" | "within">,
  [one, other]: readonly [Blob, Blob],
  number: number,
): Part {
  if (!within) throw new Error("states that have to be equal are not compared")
  const { tolerance, before } = within
  return {
    ...{
      number,
      claimed: null,
      of,
      isForAll: true,
      within: null,
      compares: { segment, states: [one.digest, other.digest] },
    },
    spec: compareSpec(spec, { before, claimed: one, replayed: other }, tolerance),
  }
}

/** What an agent has handed in of a shard that is cut into segments. */
export interface Segmented {
  spec: ShardSpec
  outputs: NamedBlob[]
  log: readonly RunLogLine[]
  /** Null where bytes have to be equal. */
  tolerance: number | null
}

/** The states that have to be shown before these segments can be run again. */
export function statesOf(
  { log, tolerance }: Pick<Segmented, "log" | "tolerance">,
  drawn: readonly number[],
): Digest[] {
  const ends = drawn.flatMap(segment => {
    const { before, after } = lineOf(log, segment)
    // The first one starts from the shard's own inputs, so that nobody has to be believed.
    return segment === 0 && tolerance === null ? [after] : [before, after]
  })
  return [...new Set(ends)]
}

/**
 * One part for each drawn segment, from the state before it to the one after it. The last one also has the outputs made from the last
 * state, so that no step between is left out.
 * @param sizeOf the size of a state that was shown.
 */
export function segmentParts(
  { spec, outputs, log, tolerance }: Segmented,
  drawn: readonly number[],
  sizeOf: (state: Digest) => number,
): Part[] {
  const stateOf = (digest: Digest): Blob => ({ digest, size: sizeOf(digest) })
  const parts = drawn.map((segment): Part => {
    const { before, after, text } = lineOf(log, segment)
    const line: NamedBlob = { name: RUN_LOG_FILE, digest: digestOf(text), size: Buffer.byteLength(text) }
    return {
      number: segment,
      spec: limited(replaySpec(spec, segment, segment === 0 ? null : stateOf(before)), log.length),
      claimed: resultOf([{ name: STATE_FILE, ...stateOf(after) }, line]),
      of: log.length,
      isForAll: tolerance !== null,
      within: tolerance === null ? null : { tolerance, before: stateOf(before), after: stateOf(after) },
      compares: null,
    }
  })
  if (!drawn.includes(log.length - 1)) return parts
  const finish = limited(finishSpec(spec, stateOf(lineOf(log, log.length - 1).after)), log.length)
  const made = outputs.filter(({ name }) => finish.outputs.includes(name))
  const last: Part = {
    number: log.length,
    spec: finish,
    claimed: resultOf(made),
    of: log.length,
    isForAll: true,
    within: null,
    compares: null,
  }
  return [...parts, last]
}

function limited(spec: ShardSpec, of: number): ShardSpec {
  return { ...spec, limits: { ...spec.limits, timeMs: partTimeMs(spec.limits.timeMs, of) } }
}

function resultOf(outputs: NamedBlob[]): Digest {
  return digestOf(resultManifest(outputs))
}

function lineOf(log: readonly RunLogLine[], segment: number): RunLogLine {
  const line = log[segment]
  if (!line) throw new RangeError(`no segment ${segment} of ${log.length}`)
  return line
}
