import { readFile } from "node:fs/promises"
import type { Blob, Digest, NamedBlob } from "../../../protocol/digest.ts"
import { RUN_LOG_FILE, RUN_LOG_LIMIT_BYTES, Segment } from "../../../protocol/run-log.ts"
import { METRICS_LIMIT_BYTES } from "../../plans/losses.ts"
import type { Part } from "../../plans/parts.ts"
import { isWithin, STATE_FILE } from "../../plans/trainer.ts"
import type { Exchange } from "../exchange.ts"
import type { CommitmentRow } from "./commitment-row.ts"

/** Where somebody says that a segment leads, and from where. */
export interface State extends Blob {
  before: Digest
}

type Sources = Pick<Exchange, "blobs" | "commitments">

/** The state that an answer to a segment ends in; null where it says none. */
export async function stateIn(exchange: Sources, part: Part, answer: CommitmentRow): Promise<State | null> {
  if (answer.claim === null && part.within) return { ...part.within.after, before: part.within.before.digest }
  const { outputs } = exchange.commitments.handedIn(answer)
  const state = outputs.find(({ name }) => name === STATE_FILE)
  const log = await textOf(
    exchange,
    outputs.find(({ name }) => name === RUN_LOG_FILE),
    RUN_LOG_LIMIT_BYTES,
  )
  const before = log === null ? undefined : beforeIn(log)
  return state && before ? { digest: state.digest, size: state.size, before } : null
}

/** Whether an auditor that compared two states found them alike; null when its file says nothing. */
export async function comparedIn(exchange: Sources, answer: CommitmentRow): Promise<boolean | null> {
  const [metrics] = exchange.commitments.handedIn(answer).outputs
  const text = await textOf(exchange, metrics, METRICS_LIMIT_BYTES)
  return text === null ? null : isWithin(text)
}

function beforeIn(log: string): Digest | undefined {
  try {
    return Segment.parse(JSON.parse(log)).before
  } catch {
    return undefined
  }
}

async function textOf(
  { blobs }: Sources,
  file: NamedBlob | undefined,
  limitBytes: number,
): Promise<string | null> {
  if (!file || file.size > limitBytes) return null
  return readFile(blobs.path(file.digest), "utf8")
}
