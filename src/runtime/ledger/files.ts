import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Fault } from "../../protocol/fault.ts"
import { registryUrl } from "../market/session.ts"

/** A ledger's plain files: at a marketplace, at whoever mirrors it, or in a folder. */
export interface LedgerFiles {
  /** As people know it. */
  where: string
  /** A file's bytes, null where there is none. @throws Fault `market-unreachable`, `file-unreadable`; the signal's reason. */
  read(path: string, signal: AbortSignal): Promise<Uint8Array | null>
}

const ANSWER_LIMIT_MS = 30_000
/** A bundle of 256 entries, each of 64 KiB. */
const FILE_LIMIT_BYTES = 256 * (2 + 0xffff)

/** @param where a marketplace's address (`ws://…`), a ledger's own (`http://…/ledger`), or a folder. */
export function ledgerFiles(where: string): LedgerFiles {
  if (/^wss?:/.test(where)) return filesOverHttp(`${registryUrl(where)}/ledger`)
  return /^https?:/.test(where) ? filesOverHttp(where.replace(/\/$/, "")) : filesIn(where)
}

function filesOverHttp(url: string): LedgerFiles {
  return {
    where: url,
    read: async (path, signal) => {
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)])
        const answer = await fetch(`${url}/${path}`, { signal: limit })
        if (answer.status === 404) return null
        if (!answer.ok) throw new Error(`it answers ${answer.status}`)
        return await bytesOf(answer)
      } catch (cause) {
        signal.throwIfAborted()
        throw unreachable(`${url}/${path}`, cause)
      }
    },
  }
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > FILE_LIMIT_BYTES) throw new Error("the answer is longer than any file of a ledger")
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function filesIn(folder: string): LedgerFiles {
  return {
    where: folder,
    read: async path => {
      try {
        return await readFile(join(folder, path))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null
        throw new Fault(
          "file-unreadable",
          `${join(folder, path)} cannot be read: ${(cause as Error).message}`,
          {
            hint: "Check who may read it.",
            cause,
          },
        )
      }
    },
  }
}

function unreachable(url: string, cause: unknown): Fault {
  const { message, cause: deeper } = cause as Error
  const why = deeper instanceof Error ? deeper.message : message
  return new Fault("market-unreachable", `The ledger at ${url} cannot be read: ${why}.`, {
    hint: "Check the address and that the marketplace runs; a copy of its ledger folder can be checked offline.",
    facts: { url },
    cause,
  })
}
