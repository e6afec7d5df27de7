import { z } from "zod"
import { Digest, digestOfHex, type FileName } from "./digest.ts"
import { Fault } from "./fault.ts"
import { leafHash } from "./tlog/hash.ts"
import { rootOfLeaves } from "./tlog/tree.ts"

/** The output that tells of a run's segments, one line each, and the name of its root in the proof. */
export const RUN_LOG_FILE = "run-log.jsonl" as FileName
export const RUN_LOG = "run-log"

/** A longer one is not read. */
export const RUN_LOG_LIMIT_BYTES = 16 << 20

/** What a line says, as far as both ends read it; images/trainer/trainer/run_log.py tells the rest. */
export const Segment = z.object({
  segment: z.int().min(0),
  /** The states before and after it; the next one begins where it ended. */
  before: Digest,
  after: Digest,
})
export type Segment = z.infer<typeof Segment>

export interface RunLogLine extends Segment {
  /** The line with its line feed: what a run of this segment alone writes as its whole log. */
  text: string
}

/**
 * @param count how many segments there have to be.
 * @throws Fault `proof-mismatch` for what is no run log of so many segments that follow from one another.
 */
export function parseRunLog(text: string, count: number): RunLogLine[] {
  const lines = text.split("\n")
  if (lines.pop() !== "") throw malformed("its last line is not ended")
  if (lines.length !== count) throw malformed(`it tells of ${lines.length} segments where there are ${count}`)
  const parsed = lines.map((line, at) => {
    const { data } = Segment.safeParse(jsonIn(line))
    if (data?.segment !== at) throw malformed(`line ${at + 1} does not tell of segment ${at}`)
    return { ...data, text: `${line}\n` }
  })
  const torn = parsed.findIndex(({ before }, at) => at > 0 && before !== parsed[at - 1]?.after)
  if (torn >= 0) throw malformed(`segment ${torn} does not begin where the one before it ended`)
  return parsed
}

/** The root of the Merkle tree over its lines without their line feeds (RFC 6962, 2.1). */
export function runLogRoot(text: string): Digest {
  const lines = text.split("\n").slice(0, -1)
  const root = rootOfLeaves(lines.map(line => leafHash(Buffer.from(line))))
  return digestOfHex(Buffer.from(root).toString("hex"))
}

function jsonIn(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function malformed(why: string): Fault {
  return new Fault("proof-mismatch", `${RUN_LOG_FILE} is no run log: ${why}.`, {
    hint: "The shard's program has to write one line for each segment; see docs/audit.md.",
  })
}
