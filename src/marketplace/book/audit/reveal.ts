import type { Digest } from "../../../protocol/digest.ts"
import { drawSegments } from "../../audit/draw.ts"
import { type Part, type Segmented, segmentParts, statesOf, wholePart } from "../../plans/parts.ts"
import type { Exchange } from "../exchange.ts"
import { specOf } from "../payment.ts"
import type { CommitmentRow } from "./commitment-row.ts"
import { readRunLog } from "./run-log.ts"

const MIB = 2 ** 20

/** The states that an agent has to show and has not: none before its claim is drawn. */
export async function hiddenStates(exchange: Exchange, claim: CommitmentRow): Promise<Digest[]> {
  if (claim.auditedAt === null || claim.claim !== null || exchange.commitments.parts(claim)) return []
  const drawn = await drawnOf(exchange, claim)
  if (drawn === null) return []
  const sizes = await sizesOf(exchange, drawn)
  return [...sizes].filter(([, size]) => size === null).map(([state]) => state)
}

/** What of a claim is run again; null as long as it has states to show. */
export async function partsOf(exchange: Exchange, claim: CommitmentRow): Promise<Part[] | null> {
  const drawn = await drawnOf(exchange, claim)
  if (drawn === null) {
    const { outputs } = exchange.commitments.handedIn(claim)
    return [wholePart(exchange.shards.spec(claim), outputs)]
  }
  const sizes = await sizesOf(exchange, drawn)
  if ([...sizes.values()].includes(null)) return null
  return segmentParts(drawn, drawn.segments, state => sizes.get(state) ?? 0)
}

/** The drawn segments, and what they are segments of; null for a shard that is audited whole. */
async function drawnOf(
  exchange: Exchange,
  claim: CommitmentRow,
): Promise<(Segmented & { segments: number[] }) | null> {
  const { audit } = specOf(exchange, claim.job)
  if (audit?.kind !== "spot") return null
  const spec = exchange.shards.spec(claim)
  const { outputs } = exchange.commitments.handedIn(claim)
  const log = await readRunLog(exchange, spec, outputs)
  if (log === null) return null
  const segments = drawSegments(
    exchange.commitments.seed(claim),
    log.length,
    Math.min(audit.drawn, log.length),
  )
  return { spec, outputs, log, tolerance: audit.tolerance, segments }
}

/** A state that is larger than its shard could leave is none: nobody is made to fetch it. */
async function sizesOf(
  { blobs }: Exchange,
  { spec, ...drawn }: Segmented & { segments: number[] },
): Promise<ReadonlyMap<Digest, number | null>> {
  const limitBytes = spec.limits.checkpointMiB * MIB
  const sizes = statesOf(drawn, drawn.segments).map(async state => {
    const size = await blobs.size(state)
    return [state, size !== null && size <= limitBytes ? size : null] as const
  })
  return new Map(await Promise.all(sizes))
}
