import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { isFault } from "../../protocol/fault.ts"
import { keyIdOf, type PublicKey, type Signer } from "../../protocol/keys.ts"
import { openCheckpoint, parseCheckpoint, type SignedCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { EMPTY_ROOT, HASH_BYTES } from "../../protocol/tlog/hash.ts"
import { formatNote, type NoteKey, parseNote, signNote } from "../../protocol/tlog/note.ts"
import { isConsistent, type TreeHead } from "../../protocol/tlog/prove.ts"
import { writeAtomically } from "../../store/atomic-file.ts"

/** What a witness answers over HTTP. */
export interface WitnessAnswer {
  status: 200 | 400 | 403 | 404 | 409 | 422
  body: string
  /** A size that was told is one; everything else is plain text. */
  type: "text/plain" | "text/x.tlog.size"
}

export interface WitnessParts {
  signer: Signer
  /** The ledgers that it watches. */
  logs: readonly NoteKey[]
  /** Where the newest checkpoint of each is remembered. */
  folder: string
  /** Milliseconds since 1970. */
  clock: () => number
  /** Told of each checkpoint that was signed, or refused although the ledger signed it. */
  onAnswer?: (origin: string, size: number, answer: WitnessAnswer) => void
}

const NAME_DIGITS = 16
const PROOF_LIMIT = 63
const REQUEST = /^old (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n/

/** The name under which an identity cosigns. */
export function witnessKey(key: PublicKey): NoteKey {
  return { kind: "witness", name: `zg-agent.dev/witness/${keyIdOf(key).slice(0, NAME_DIGITS)}`, key }
}

/**
 * Signs the checkpoints of ledgers that only grew since the last one, and refuses all others (C2SP tlog-witness). The newest is on disk
 * before its signature is given away, so that two stories are never both signed.
 */
export class Witness {
  readonly #parts: WitnessParts
  /** One request of a ledger after the other: what is compared must still be the newest when the next is written. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(parts: WitnessParts) {
    this.#parts = parts
  }

  /** Answers one `add-checkpoint`. @throws Fault `disk-full`. */
  async add(request: string): Promise<WitnessAnswer> {
    const [head, old, lines = ""] = request.match(REQUEST) ?? []
    const text = head === undefined ? "" : request.slice(head.length)
    const claimed = parseCheckpoint(parseNote(text)?.text ?? "")
    const hashes = lines.split("\n").filter(Boolean)
    if (!claimed || hashes.length > PROOF_LIMIT) return plain(400, "This is no add-checkpoint request.")
    const log = this.#parts.logs.find(({ name }) => name === claimed.origin)
    if (!log) return plain(404, `This witness does not watch ${claimed.origin}.`)
    const checkpoint = signedBy(text, log)
    if (checkpoint === null) return plain(403, "None of the signatures is the ledger's.")
    if (Number(old) > checkpoint.size) return plain(400, "The old size is larger than the new one.")
    const proof = hashes.map(hash => Buffer.from(hash, "base64").subarray(0, HASH_BYTES))
    const answer = await this.#inTurn(log.name, () => this.#grow(log, checkpoint, Number(old), proof))
    this.#parts.onAnswer?.(log.name, checkpoint.size, answer)
    return answer
  }

  async #grow(
    log: NoteKey,
    next: SignedCheckpoint,
    old: number,
    proof: readonly Uint8Array[],
  ): Promise<WitnessAnswer> {
    const seen = await this.#newest(log)
    if (old !== seen.size) return { status: 409, body: `${seen.size}\n`, type: "text/x.tlog.size" }
    if (!isConsistent(seen, next, proof)) {
      return next.size === seen.size
        ? plain(409, "Another tree of this size was signed before.")
        : plain(422, "The tree does not go on from the one that was signed before.")
    }
    const { signer, folder, clock } = this.#parts
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeAtomically(this.#path(log), formatNote(next.note))
    const { name } = witnessKey(signer.publicKey)
    return plain(200, await signNote(next.note.text, { kind: "witness", name, signer }, clock()))
  }

  async #newest(log: NoteKey): Promise<TreeHead> {
    const text = await readFile(this.#path(log), "utf8").catch(error => {
      if (error.code === "ENOENT") return null
      throw error
    })
    return text === null ? { size: 0, root: EMPTY_ROOT } : openCheckpoint(text, log)
  }

  #path({ name, key }: NoteKey): string {
    return join(
      this.#parts.folder,
      `${name.replace(/[^A-Za-z0-9.-]/g, "_")}-${keyIdOf(key).slice(0, NAME_DIGITS)}`,
    )
  }

  #inTurn<T>(name: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(run)
    this.#turns.set(
      name,
      turn.catch(() => {}),
    )
    return turn
  }
}

function signedBy(text: string, log: NoteKey): SignedCheckpoint | null {
  try {
    return openCheckpoint(text, log)
  } catch (error) {
    if (isFault(error)) return null
    throw error
  }
}

function plain(status: WitnessAnswer["status"], body: string): WitnessAnswer {
  return { status, body: body.endsWith("\n") ? body : `${body}\n`, type: "text/plain" }
}
