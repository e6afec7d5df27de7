import { HASH_BYTES, sha256 } from "../../../protocol/tlog/hash.ts"
import type { TreeHead } from "../../../protocol/tlog/prove.ts"
import { LedgerProblem } from "./problem.ts"

/** The key under a ledger's checkpoints, as `vkey` text says it (C2SP signed-note). */
interface LogKey {
  name: string
  /** The first four bytes of SHA-256(name ‖ line end ‖ kind ‖ key). */
  id: Uint8Array
  raw: Uint8Array<ArrayBuffer>
}

/** Signatures of logs; witnesses have another kind. */
const ED25519 = 1
const RAW_KEY_BYTES = 32
const ID_BYTES = 4

/** @returns null for what is no log's key. */
export function parseVkey(text: string): LogKey | null {
  const [, name = "", id = "", base64 = ""] = text.trim().match(/^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/) ?? []
  const material = bytesOf(base64)
  if (material?.length !== 1 + RAW_KEY_BYTES || material[0] !== ED25519) return null
  const known = sha256(Uint8Array.of(...utf8(`${name}\n`), ...material)).subarray(0, ID_BYTES)
  const isItsId = [...known].map(byte => byte.toString(16).padStart(2, "0")).join("") === id
  return isItsId ? { name, id: known, raw: material.slice(1) } : null
}

/**
 * Reads a checkpoint that this key has signed.
 * @throws LedgerProblem `unsigned` where it has not; `unable` where this browser cannot tell.
 */
export async function openCheckpoint(note: string, vkey: string): Promise<TreeHead> {
  const key = parseVkey(vkey)
  const end = note.lastIndexOf("\n\n")
  const text = note.slice(0, end + 1)
  const [, origin, size, root = ""] = text.match(/^(\S+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/]{43}=)\n/) ?? []
  const hash = bytesOf(root)
  if (key === null || end < 0 || origin !== key.name || hash?.length !== HASH_BYTES) throw unsigned()
  const lines = note.slice(end + 2).split("\n")
  for (const line of lines) if (await isSigned(text, line, key)) return { size: Number(size), root: hash }
  throw unsigned()
}

async function isSigned(text: string, line: string, { name, id, raw }: LogKey): Promise<boolean> {
  const [, of, base64 = ""] = line.match(/^— (\S+) (\S+)$/) ?? []
  const bytes = bytesOf(base64)
  if (of !== name || bytes === null || !id.every((byte, at) => byte === bytes[at])) return false
  const signature = bytes.slice(ID_BYTES)
  // Browsers have it on https and on this machine only.
  const subtle = globalThis.crypto?.subtle
  if (subtle === undefined)
    throw unable("This page came over plain http, where browsers check no signatures.")
  try {
    const key = await subtle.importKey("raw", raw, "Ed25519", false, ["verify"])
    return await subtle.verify("Ed25519", key, signature, utf8(text))
  } catch (cause) {
    throw unable(`This browser cannot check Ed25519 signatures (${(cause as Error).message}).`)
  }
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

/** @returns null for what is no base64. */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    const bytes = Uint8Array.from(atob(base64), sign => sign.charCodeAt(0))
    return btoa(String.fromCharCode(...bytes)) === base64 ? bytes : null
  } catch {
    return null
  }
}

function unsigned(): LedgerProblem {
  return new LedgerProblem("unsigned", "The checkpoint is not signed by the key that it is checked against.")
}

function unable(why: string): LedgerProblem {
  return new LedgerProblem("unable", `${why} Run zg-agent ledger verify instead.`)
}
