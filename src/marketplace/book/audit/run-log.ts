import { readFile } from "node:fs/promises"
import type { NamedBlob } from "../../../protocol/digest.ts"
import { Fault } from "../../../protocol/fault.ts"
import type { ProofStatement } from "../../../protocol/proof.ts"
import {
  parseRunLog,
  RUN_LOG,
  RUN_LOG_FILE,
  RUN_LOG_LIMIT_BYTES,
  type RunLogLine,
  runLogRoot,
} from "../../../protocol/run-log.ts"
import type { ShardSpec } from "../../../protocol/shard-spec.ts"
import { resource } from "../../../protocol/statement.ts"
import { segmentsOf } from "../../plans/trainer.ts"
import type { Exchange } from "../exchange.ts"

/**
 * Checks that the proof of a shard that is cut into segments commits to the run log that was delivered.
 * @throws Fault `proof-mismatch`.
 */
export async function checkRunLog(
  exchange: Pick<Exchange, "blobs">,
  spec: ShardSpec,
  { predicate }: ProofStatement,
  outputs: readonly NamedBlob[],
): Promise<void> {
  const log = await readRunLog(exchange, spec, outputs)
  if (log === null) return
  const root = resource(RUN_LOG, runLogRoot(log.map(({ text }) => text).join("")))
  const said = predicate.runDetails.byproducts.find(({ name }) => name === RUN_LOG)
  if (said?.digest.sha256 === root.digest.sha256) return
  throw new Fault(
    "proof-mismatch",
    `The proof's ${RUN_LOG} is not the root over the lines of ${RUN_LOG_FILE}.`,
    {
      hint: "Hash each line without its line feed as a leaf (RFC 6962); docs/protocol.md tells how.",
      facts: { said: said?.digest.sha256 ?? null, due: root.digest.sha256 },
    },
  )
}

/** The delivered run log; null for a shard that is not cut into segments. @throws Fault `proof-mismatch`. */
export async function readRunLog(
  { blobs }: Pick<Exchange, "blobs">,
  spec: ShardSpec,
  outputs: readonly NamedBlob[],
): Promise<RunLogLine[] | null> {
  const count = segmentsOf(spec)
  const file = outputs.find(({ name }) => name === RUN_LOG_FILE)
  if (count === null || !file) return null
  if (file.size > RUN_LOG_LIMIT_BYTES)
    throw new Fault(
      "proof-mismatch",
      `${RUN_LOG_FILE} has ${file.size} bytes; ${RUN_LOG_LIMIT_BYTES} is the limit.`,
      {
        hint: "The shard has too many steps for one run log: its buyer has to make its shards smaller.",
      },
    )
  return parseRunLog(await readFile(blobs.path(file.digest), "utf8"), count)
}
