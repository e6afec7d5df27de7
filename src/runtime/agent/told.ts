import type { Logger } from "pino"
import { type Fault, isFault } from "../../protocol/fault.ts"
import type { Lease } from "../../protocol/lease.ts"
import type { Checkpoint } from "../../protocol/shard-spec.ts"
import type { Bundle } from "../../protocol/statement.ts"
import type { Link } from "../market/link.ts"
import type { Journal } from "../shard/journal.ts"
import { untilRoom } from "../shard/patience.ts"
import type { HandedIn, Ports } from "../shard/ports.ts"
import type { Progress } from "../shard/progress.ts"
import type { Abandoned } from "../shard/state.ts"
import { heldOf } from "./work.ts"

/** Ends of a lease that the marketplace knows of already. */
const NOT_HELD = ["shard-cancelled", "lease-stale", "lease-unknown", "audit-failed", "audit-undecided"]

/** What a walk has the marketplace told through this agent's session, and its owner of what was not. */
export type AnsweredHere = "handIn" | "onProgress" | "keepCheckpoint" | "onUnsent" | "onUnshown"

export interface ToldParts {
  link: Link
  journal: Journal
  log: Logger
}

/** @param onProgress is told of each shard's progress, too. */
export function tellingPorts(
  { link, log }: ToldParts,
  onProgress: (lease: Lease, progress: Progress) => void,
): Pick<Ports, AnsweredHere> {
  const warn = (event: string) => (lease: Lease, fault: Fault) =>
    log.warn({ lease: lease.id, code: fault.code, message: fault.message }, event)
  return {
    handIn: (lease, bundle, signal) => handIn(lease, bundle, link, signal),
    onProgress: (lease, progress) => {
      onProgress(lease, progress)
      link.tell({ type: "progress", ...heldOf(lease), ...progress })
    },
    keepCheckpoint: async (lease: Lease, files: Checkpoint, signal) => {
      const held = heldOf(lease)
      await link.request({ type: "checkpoint", ...held, files }, "kept", signal)
      log.info({ ...held, files: files.length }, "checkpoint.kept")
    },
    onUnsent: warn("checkpoint.unsent"),
    onUnshown: warn("state.unshown"),
  }
}

async function handIn(lease: Lease, proof: Bundle, link: Link, signal: AbortSignal): Promise<HandedIn> {
  const said = { type: "proof", ...heldOf(lease), bundle: proof } as const
  const answer = await link.request(said, ["receipt", "committed"], signal)
  if (answer.type === "committed") return { reveal: answer.reveal }
  return { bundle: answer.bundle, ledger: answer.ledger }
}

/** Repeats itself until the marketplace has heard it: the slot stays taken until then, at both ends. */
export async function giveBack(
  { assignment: { lease }, code, message }: Abandoned,
  { link, journal, log }: ToldParts,
  signal: AbortSignal,
): Promise<void> {
  const abandon = { type: "abandon", ...heldOf(lease), code, message } as const
  try {
    // A marketplace whose disk is full cannot note it yet.
    if (!NOT_HELD.includes(code)) await untilRoom(() => link.request(abandon, "abandoned", signal), signal)
  } catch (error) {
    if (!isFault(error)) throw error
    log.warn({ lease: lease.id, code: error.code }, "market.refused")
  }
  await journal.told(lease.id, lease.epoch).catch(error => {
    // It is told again after the next start, which is harmless.
    if (!isFault(error, "disk-full")) throw error
    log.warn({ lease: lease.id, code: error.code }, "journal.full")
  })
}
