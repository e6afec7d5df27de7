import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { Fault } from "../../../protocol/fault.ts"
import { openCheckpoint, parseCheckpoint, type SignedCheckpoint } from "../../../protocol/tlog/checkpoint.ts"
import { formatNote, type NoteKey, parseNote } from "../../../protocol/tlog/note.ts"
import { writeAtomically } from "../../../store/atomic-file.ts"

export const TransactionHash = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)])
export type TransactionHash = z.infer<typeof TransactionHash>

const Record = z.strictObject({
  transaction: TransactionHash,
  chain: z.int().min(1),
  from: z.string(),
  /** Milliseconds since 1970. */
  sentAt: z.int(),
  /** As it was signed. */
  checkpoint: z.string().max(16_384),
})

/** An anchor that was sent from here; whether it arrived, the chain knows. */
export interface SentAnchor extends Omit<z.infer<typeof Record>, "checkpoint"> {
  checkpoint: SignedCheckpoint
}

/** The anchors that were sent from this home, one file each. */
export class Anchors {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws Fault `disk-full`. */
  async remember({ checkpoint, ...sent }: SentAnchor): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const record: z.infer<typeof Record> = { ...sent, checkpoint: formatNote(checkpoint.note) }
    await writeAtomically(this.#path(sent.transaction), `${JSON.stringify(record)}\n`)
  }

  async forget(transaction: TransactionHash): Promise<void> {
    await rm(this.#path(transaction), { force: true })
  }

  /** The one of a ledger that holds most; the newest of several. @throws Fault `home-unusable`. */
  async last(log: NoteKey): Promise<SentAnchor | null> {
    const names = await readdir(this.#folder).catch(error => {
      if (error.code === "ENOENT") return []
      throw error
    })
    const files = names.filter(name => name.endsWith(".json"))
    const sent = (await Promise.all(files.map(name => this.#read(join(this.#folder, name), log)))).flat()
    return sent.sort((a, b) => a.checkpoint.size - b.checkpoint.size || a.sentAt - b.sentAt).at(-1) ?? null
  }

  /** @returns nothing for another ledger's. */
  async #read(path: string, log: NoteKey): Promise<SentAnchor[]> {
    try {
      const { checkpoint, ...sent } = Record.parse(JSON.parse(await readFile(path, "utf8")))
      if (parseCheckpoint(parseNote(checkpoint)?.text ?? "")?.origin !== log.name) return []
      return [{ ...sent, checkpoint: openCheckpoint(checkpoint, log) }]
    } catch (cause) {
      throw new Fault("home-unusable", `${path} is no anchor of this home.`, {
        hint: "It is damaged: move it away. The transaction after which it is named is still on its chain.",
        cause,
      })
    }
  }

  #path(transaction: TransactionHash): string {
    return join(this.#folder, `${transaction}.json`)
  }
}
