import { createHash } from "node:crypto"
import { Fault } from "../fault.ts"
import { importKey, isSignedBy, type PublicKey, publicKeyOf, type Signer } from "../keys.ts"

/** What a key signs: a log's own checkpoints, or those that it watched grow (C2SP signed-note, tlog-cosignature). */
export type NoteKeyKind = "log" | "witness"

const KINDS: Record<NoteKeyKind, number> = { log: 0x01, witness: 0x04 }
const RAW_KEY_BYTES = 32
const ID_BYTES = 4
const TIME_BYTES = 8

/** A name, and the key that signs under it. */
export interface NoteKey {
  kind: NoteKeyKind
  name: string
  key: PublicKey
}

/** One that this machine holds. */
export interface NoteSigner extends Omit<NoteKey, "key"> {
  signer: Signer
}

/** A text with signature lines below it; the text ends with a line end. */
export interface Note {
  text: string
  /** As they stand, each with its line end. */
  signatures: string[]
}

export interface NoteSignature {
  kind: NoteKeyKind
  name: string
  /** When a witness saw it, in seconds since 1970; null for a log's own. */
  seenAt: number | null
}

const NAME = /^[^\s+]+$/

/** `name+a1b2c3d4+base64`, the form in which keys of notes are handed around. */
export function vkeyOf({ kind, name, key }: NoteKey): string {
  const material = Buffer.concat([Buffer.of(KINDS[kind]), rawOf(key)])
  return `${name}+${idOf({ kind, name, key }).toString("hex")}+${material.toString("base64")}`
}

/** @throws Fault `bad-argument` for anything but a vkey of Ed25519. */
export function parseVkey(text: string): NoteKey {
  const [, name = "", id, material = ""] = text.trim().match(/^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/) ?? []
  const bytes = Buffer.from(material, "base64")
  const kind = (Object.keys(KINDS) as NoteKeyKind[]).find(one => KINDS[one] === bytes[0])
  if (kind !== undefined && bytes.length === 1 + RAW_KEY_BYTES) {
    const key = { kind, name, key: publicKeyOf(bytes.subarray(1)) }
    importKey(key.key)
    if (idOf(key).toString("hex") === id) return key
  }
  throw new Fault("bad-argument", `${JSON.stringify(text)} is not a key for notes.`, {
    hint: "It looks like name+a1b2c3d4+AT…; `zg-agent ledger witness` and `zg-agent market start` print theirs.",
  })
}

/** @throws TypeError for a name that a note cannot carry, or a text that it cannot hold. */
export async function signNote(
  text: string,
  { kind, name, signer }: NoteSigner,
  at: number,
): Promise<string> {
  if (!NAME.test(name) || !text.endsWith("\n")) throw new TypeError("not a note")
  const seconds = Math.floor(at / 1000)
  const signature = await signer.sign(messageOf(text, kind, seconds))
  const time = Buffer.alloc(kind === "witness" ? TIME_BYTES : 0)
  if (kind === "witness") time.writeBigUInt64BE(BigInt(seconds))
  return signatureLine({ kind, name, key: signer.publicKey }, Buffer.concat([time, signature]))
}

/** The line below a note. @param signature with a witness's time before it. */
export function signatureLine(key: NoteKey, signature: Uint8Array): string {
  return `— ${key.name} ${Buffer.concat([idOf(key), signature]).toString("base64")}\n`
}

export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.join("")}`
}

/** @returns null for what is no note. */
export function parseNote(note: string): Note | null {
  const end = note.lastIndexOf("\n\n")
  if (end < 0) return null
  const [text, below] = [note.slice(0, end + 1), note.slice(end + 2)]
  const signatures = below.match(/— \S+ \S+\n/g) ?? []
  return signatures.length > 0 && signatures.join("") === below ? { text, signatures } : null
}

/** Which of these keys have signed the note; lines of other keys say nothing. */
export function signaturesOn({ text, signatures }: Note, keys: readonly NoteKey[]): NoteSignature[] {
  return keys.flatMap(known => {
    const found = signatures.map(line => checked(text, line, known)).find(one => one !== null)
    return found ? [found] : []
  })
}

/** What this key's line below a note says after the key's id; null where it has not signed. */
export function signatureBy({ text, signatures }: Note, key: NoteKey): Uint8Array | null {
  const line = signatures.find(one => checked(text, one, key) !== null)
  return line === undefined ? null : Buffer.from(line.split(" ")[2] ?? "", "base64").subarray(ID_BYTES)
}

function checked(text: string, line: string, { kind, name, key }: NoteKey): NoteSignature | null {
  const [, of, base64 = ""] = line.match(/^— (\S+) (\S+)\n$/) ?? []
  const bytes = Buffer.from(base64, "base64")
  if (of !== name || !bytes.subarray(0, ID_BYTES).equals(idOf({ kind, name, key }))) return null
  const body = bytes.subarray(ID_BYTES)
  const isWitness = kind === "witness"
  if (isWitness && body.length < TIME_BYTES) return null
  const seconds = isWitness ? Number(body.readBigUInt64BE(0)) : 0
  const signature = isWitness ? body.subarray(TIME_BYTES) : body
  if (!isSignedBy(importKey(key), messageOf(text, kind, seconds), signature)) return null
  return { kind, name, seenAt: isWitness ? seconds : null }
}

function messageOf(text: string, kind: NoteKeyKind, seconds: number): Buffer {
  return Buffer.from(kind === "witness" ? `cosignature/v1\ntime ${seconds}\n${text}` : text)
}

/** SHA-256(name ‖ line end ‖ kind ‖ key), the first four bytes. */
function idOf(key: NoteKey): Buffer {
  return fullIdOf(key).subarray(0, ID_BYTES)
}

/** The whole hash that a key id is the beginning of: what Sigstore calls a log by. */
export function fullIdOf({ kind, name, key }: NoteKey): Buffer {
  return createHash("sha256").update(`${name}\n`).update(Buffer.of(KINDS[kind])).update(rawOf(key)).digest()
}

function rawOf(key: PublicKey): Buffer {
  return Buffer.from(key, "base64").subarray(-RAW_KEY_BYTES)
}
