import { constants } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { Fault } from "../../../protocol/fault.ts"

/** A secp256k1 private key in hex. It goes into signing, and nowhere else. */
export type WalletKey = `0x${string}`

const KEY = /^(?:0x)?([0-9a-fA-F]{64})$/
/** A key, and a line end or two. */
const FILE_LIMIT_BYTES = 128

/**
 * Reads the private key that pays for anchors: 64 hex digits in a file that only its owner reads.
 * @throws Fault `wallet-unreadable`; what the file holds is in no message.
 */
export async function readWalletKey(path: string): Promise<WalletKey> {
  const file = await open(path, constants.O_RDONLY).catch(cause => {
    throw unreadable(path, (cause as NodeJS.ErrnoException).code ?? "it cannot be opened", "Check the path.")
  })
  try {
    return await keyIn(file, path)
  } finally {
    await file.close()
  }
}

async function keyIn(file: FileHandle, path: string): Promise<WalletKey> {
  const status = await file.stat()
  if (!status.isFile()) throw unreadable(path, "it is no file", "Name the file that holds the key.")
  if ((status.mode & 0o077) !== 0)
    throw unreadable(path, "others on this machine may read it", `chmod 600 ${path}`)
  const bytes = Buffer.alloc(FILE_LIMIT_BYTES)
  const { bytesRead } = await file.read(bytes, 0, FILE_LIMIT_BYTES, 0)
  const [, digits] = bytes.toString("latin1", 0, bytesRead).trim().match(KEY) ?? []
  if (digits === undefined || status.size > FILE_LIMIT_BYTES) {
    const hint =
      "It must hold 64 hex digits and nothing else; use an account that holds no more than its fees."
    throw unreadable(path, "it holds no private key of an EVM chain", hint)
  }
  return `0x${digits}`
}

function unreadable(path: string, why: string, hint: string): Fault {
  return new Fault("wallet-unreadable", `The key file ${path} is not usable: ${why}.`, { hint })
}
