import { createHash } from "node:crypto"
import { Fault, isFault } from "./fault.ts"
import { checkpointText, openCheckpoint, type SignedCheckpoint } from "./tlog/checkpoint.ts"
import { HASH_BYTES } from "./tlog/hash.ts"
import { formatNote, type NoteKey, signatureBy, signatureLine } from "./tlog/note.ts"

/** Seven letters, and the format's version. */
const MAGIC = Buffer.from("zg-anch\x01", "latin1")
const SIGNATURE_BYTES = 64
const SIZE_AT = MAGIC.length + HASH_BYTES
const ROOT_AT = SIZE_AT + 8
const SIGNATURE_AT = ROOT_AT + HASH_BYTES
export const ANCHOR_BYTES = SIGNATURE_AT + SIGNATURE_BYTES

/**
 * A checkpoint as a transaction's data: magic ‖ SHA-256 of the ledger's name ‖ size, 64 bits, the higher byte first ‖ root ‖ the ledger's
 * Ed25519 signature. The signature makes it the ledger's own word, whoever sent it: anybody can write any root to a chain.
 * @throws Fault `ledger-malformed` for a checkpoint with lines that this has no room for.
 */
export function anchorData({ note, origin, size, root }: SignedCheckpoint, log: NoteKey): Uint8Array {
  const signature = signatureBy(note, log)
  if (signature?.length !== SIGNATURE_BYTES || note.text !== checkpointText({ origin, size, root })) {
    throw new Fault("ledger-malformed", `The checkpoint of ${origin} has more than name, size and root.`, {
      hint: "Only a plain checkpoint can be anchored; a newer version may know this one's form.",
    })
  }
  const sizeBytes = Buffer.alloc(8)
  sizeBytes.writeBigUInt64BE(BigInt(size))
  return Buffer.concat([MAGIC, nameHash(origin), sizeBytes, root, signature])
}

/**
 * Reads what {@link anchorData} made.
 * @throws Fault `anchor-mismatch` for other data, another ledger's anchor, and one that this ledger has not signed.
 */
export function openAnchor(data: Uint8Array, log: NoteKey): SignedCheckpoint {
  const bytes = Buffer.from(data)
  if (bytes.length !== ANCHOR_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw mismatch("holds no anchor")
  if (!bytes.subarray(MAGIC.length, SIZE_AT).equals(nameHash(log.name)))
    throw mismatch(`is not about ${log.name}`)
  const size = Number(bytes.readBigUInt64BE(SIZE_AT))
  const text = checkpointText({ origin: log.name, size, root: bytes.subarray(ROOT_AT, SIGNATURE_AT) })
  const signatures = [signatureLine(log, bytes.subarray(SIGNATURE_AT))]
  try {
    return openCheckpoint(formatNote({ text, signatures }), log)
  } catch (cause) {
    if (isFault(cause)) throw mismatch(`tells a root that ${log.name} has not signed`)
    throw cause
  }
}

function nameHash(origin: string): Buffer {
  return createHash("sha256").update(origin).digest()
}

function mismatch(what: string): Fault {
  return new Fault("anchor-mismatch", `The transaction ${what}.`, {
    hint: "Anybody can write anything to a chain: it says nothing about this ledger. Ask whoever anchored it for the right transaction, and check --key.",
  })
}
