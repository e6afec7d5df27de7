import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Logger } from "pino"
import { isFault } from "../../protocol/fault.ts"
import { openCheckpoint, type SignedCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { formatNote, type NoteKey } from "../../protocol/tlog/note.ts"
import { writeAtomically } from "../../store/atomic-file.ts"
import type { LedgerFiles } from "./files.ts"
import { checkGrowth, forked, readCheckpoint } from "./read-log.ts"

/** How often the checkpoint that everybody sees is compared with those that came with receipts. */
const LOOK_EVERY_MS = 10 * 60_000
const RETRY_MS = 30_000
/** So often a ledger may show fewer entries than before: a cache in between may be late, but not for ever. */
const SHRUNK_LOOKS = 3
/** Those that wait while the ledger cannot be read; the newest are kept. */
const WAITING_LIMIT = 64

export interface LedgerWatchParts {
  files: LedgerFiles
  log: NoteKey
  /** Where the largest checkpoint so far is remembered, and two that contradict each other are kept. */
  folder: string
  logger: Logger
  lookEveryMs?: number
  /** Between two looks at a ledger that could not be read. */
  retryMs?: number
}

/**
 * Watches that a marketplace's ledger only grows: each checkpoint that came with a receipt, and the one that everybody sees, must go on from
 * the largest one so far. What was seen is remembered over restarts.
 */
export class LedgerWatch {
  readonly #parts: LedgerWatchParts
  #waiting: string[] = []
  #woken = Promise.withResolvers<void>()
  #shrunkLooks = 0

  constructor(parts: LedgerWatchParts) {
    this.#parts = parts
  }

  /** A checkpoint that came with a receipt. */
  saw(checkpoint: string): void {
    this.#waiting = [...this.#waiting, checkpoint].slice(-WAITING_LIMIT)
    this.#woken.resolve()
  }

  /** Checks what was seen until the signal aborts. @throws Fault `ledger-forked`, with both checkpoints on disk; `disk-full`. */
  async keep(signal: AbortSignal): Promise<void> {
    const { lookEveryMs = LOOK_EVERY_MS, retryMs = RETRY_MS, logger } = this.#parts
    while (!signal.aborted) {
      let pauseMs = lookEveryMs
      try {
        await this.#look(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!isFault(error) || error.code === "ledger-forked" || error.code === "disk-full") throw error
        logger.warn({ code: error.code, message: error.message }, "ledger.unread")
        pauseMs = retryMs
      }
      const pause = sleep(pauseMs, undefined, { signal }).catch(() => {})
      await (this.#waiting.length > 0 ? pause : Promise.race([pause, this.#woken.promise]))
      this.#woken = Promise.withResolvers()
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { files, log } = this.#parts
    for (let text = this.#waiting[0]; text !== undefined; text = this.#waiting[0]) {
      await this.#compare(openCheckpoint(text, log), signal)
      this.#waiting = this.#waiting.filter(other => other !== text)
    }
    await this.#compare(await readCheckpoint(files, log, signal), signal)
  }

  async #compare(seen: SignedCheckpoint, signal: AbortSignal): Promise<void> {
    const { files, log, folder, logger } = this.#parts
    const path = join(folder, "checkpoint")
    const known = await readFile(path, "utf8").catch(() => null)
    const before = known === null ? null : openCheckpoint(known, log)
    try {
      if (before !== null && before.size <= seen.size) await checkGrowth(files, before, seen, signal)
      else if (before !== null) await this.#checkShrunk(seen, before, signal)
    } catch (error) {
      if (isFault(error, "ledger-forked") && known !== null) await this.#keepEvidence(known, seen)
      throw error
    }
    if (before !== null && before.size >= seen.size) return
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeAtomically(path, formatNote(seen.note))
    logger.debug({ size: seen.size }, "ledger.grew")
  }

  /** An older checkpoint is a part of the larger tree; a ledger that does not have that tree any more was begun anew. */
  async #checkShrunk(seen: SignedCheckpoint, before: SignedCheckpoint, signal: AbortSignal): Promise<void> {
    const { files } = this.#parts
    try {
      await checkGrowth(files, seen, before, signal)
      this.#shrunkLooks = 0
    } catch (error) {
      if (!isFault(error, "ledger-malformed")) throw error
      this.#shrunkLooks++
      throw this.#shrunkLooks < SHRUNK_LOOKS ? error : forked(files.where, before, seen)
    }
  }

  async #keepEvidence(known: string, seen: SignedCheckpoint): Promise<void> {
    const path = join(this.#parts.folder, `forked-${new Date().toISOString().replaceAll(":", "-")}`)
    await writeAtomically(path, `${known}\n${formatNote(seen.note)}`)
    this.#parts.logger.error({ evidence: path }, "ledger.forked")
  }
}
