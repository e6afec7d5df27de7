import type { Logger } from "pino"
import { Fault } from "../../protocol/fault.ts"
import {
  formatNote,
  type Note,
  type NoteKey,
  parseNote,
  parseVkey,
  signaturesOn,
} from "../../protocol/tlog/note.ts"
import { consistencyRanges, hashOf } from "../../protocol/tlog/tree.ts"
import type { Log } from "./log.ts"

/** Who signs that a ledger only grew, over HTTP (C2SP tlog-witness). */
export interface Witness {
  url: string
  key: NoteKey
}

/** `<vkey>@<url>`, as `ledger witness` prints it. @throws Fault `bad-argument`. */
export function parseWitness(text: string): Witness {
  const at = text.indexOf("@http")
  const key = parseVkey(at < 0 ? text : text.slice(0, at))
  const url = URL.parse(text.slice(at + 1))
  if (at >= 0 && url !== null && key.kind === "witness") return { key, url: url.href.replace(/\/$/, "") }
  throw new Fault("bad-argument", `${JSON.stringify(text)} does not name a witness.`, {
    hint: "Give its key and its address as `zg-agent ledger witness` prints them: VKEY@http://….",
  })
}

export interface Growth {
  log: Log
  size: number
  witnesses: readonly Witness[]
  logger: Logger
}

/** A receipt waits for them no longer than this. */
const ANSWER_LIMIT_MS = 2_000
/** Once for what it saw last, once for the answer. */
const TRIES = 2

/** Signature lines of the witnesses that answered in time; the others are told of in the log. */
export async function cosigned(note: Note, growth: Growth): Promise<string[]> {
  const lines = await Promise.all(growth.witnesses.map(witness => askOrTell(note, witness, growth)))
  return lines.filter(line => line !== null)
}

async function askOrTell(note: Note, witness: Witness, growth: Growth): Promise<string | null> {
  const { name } = witness.key
  try {
    return await ask(note, witness, growth)
  } catch (error) {
    growth.logger.warn({ event: "witness.silent", witness: name, reason: (error as Error).message })
    return null
  }
}

/** What it saw last, it tells itself: a conflict names the size. */
async function ask(note: Note, { url, key }: Witness, { log, size }: Growth): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS)
  let seen = 0
  for (let tries = 0; tries < TRIES; tries++) {
    const hashes = consistencyRanges(seen, size).map(range => hashOf(range, node => log.node(node)))
    const proof = hashes.map(hash => `${Buffer.from(hash).toString("base64")}\n`).join("")
    const body = `old ${seen}\n${proof}\n${formatNote(note)}`
    const answer = await fetch(`${url}/add-checkpoint`, { method: "POST", body, signal })
    const text = await answer.text()
    if (answer.status === 200) return lineOf(note, key, text)
    const told = answer.status === 409 && /^\d{1,15}\n$/.test(text) ? Number(text) : null
    if (told === null || told === seen || told > size) throw new Error(`${answer.status} ${text.trim()}`)
    seen = told
  }
  throw new Error("it tells another size at each time")
}

function lineOf(note: Note, key: NoteKey, text: string): string {
  const answered = parseNote(`${note.text}\n${text}`)
  const line = answered?.signatures.find(
    one => signaturesOn({ ...note, signatures: [one] }, [key]).length > 0,
  )
  if (line === undefined) throw new Error("its signature is not of its key")
  return line
}
