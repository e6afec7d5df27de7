import { createHash, type Hash } from "node:crypto"
import { createReadStream } from "node:fs"
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises"
import { join } from "node:path"
import { type Blob, type Digest, digestOfHex, hexOf } from "../protocol/digest.ts"
import { Fault } from "../protocol/fault.ts"
import { asDiskFull } from "./disk-full.ts"

const READ_BYTES = 1 << 20

export interface Collection {
  needed: ReadonlySet<Digest>
  /** For how long a blob has not been used, and a partial one has not grown, in milliseconds. */
  unusedMs: number
  partialMs: number
}

interface Receiving {
  hash: Hash
  size: number
}

/**
 * Blobs in a folder, each in a file named by its SHA-256 (an OCI image layout's `blobs/sha256`). A blob grows in `partial/` under a
 * name of the caller's choice, is hashed while it arrives, and appears under its digest only when whole and right.
 */
export class BlobStore {
  readonly root: string
  /** Running hashes of what is arriving, so that the next piece need not read the earlier ones again. */
  #receiving = new Map<string, Receiving>()

  constructor(root: string) {
    this.root = root
  }

  path(digest: Digest): string {
    return join(this.root, "sha256", hexOf(digest))
  }

  /** The blob's size in bytes, or null when it is not here. */
  async size(digest: Digest): Promise<number | null> {
    return sizeOf(this.path(digest))
  }

  /** Streams a blob, or its bytes from `start` to `end` inclusive. */
  read(digest: Digest, range: { start?: number; end?: number } = {}): AsyncIterable<Uint8Array> {
    return createReadStream(this.path(digest), { ...range, highWaterMark: READ_BYTES })
  }

  /** How many bytes of this partial blob are here. */
  async received(name: string): Promise<number> {
    return (await sizeOf(this.#partial(name))) ?? 0
  }

  /**
   * Appends to a partial blob and returns its new size. What arrived before the source failed stays, to be resumed.
   * @throws Fault `disk-full`; `blob-corrupt` when it grows over `limitBytes` (the partial is thrown away).
   */
  async append(name: string, source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<number> {
    await mkdir(join(this.root, "partial"), { recursive: true, mode: 0o700 })
    const receiving = await this.#resume(name)
    const file = await open(this.#partial(name), "a", 0o600)
    try {
      for await (const piece of source) {
        if (receiving.size + piece.length > limitBytes) throw tooLarge(name, limitBytes)
        await writeAll(file, piece)
        receiving.hash.update(piece)
        receiving.size += piece.length
      }
    } catch (error) {
      throw await this.#appendFailed(name, error)
    } finally {
      await file.close()
    }
    return receiving.size
  }

  /**
   * Makes a partial blob a blob. Doing it again after success is success.
   * @throws Fault `blob-corrupt` when its bytes are not what the digest says (the partial is thrown away).
   */
  async seal(name: string, expected?: Digest): Promise<Blob> {
    const { hash, size } = await this.#resume(name)
    const digest = digestOfHex(hash.copy().digest("hex"))
    if (expected !== undefined && digest !== expected) {
      await this.discard(name)
      throw new Fault("blob-corrupt", `What arrived has digest ${digest}, not ${expected}.`, {
        hint: "It is transferred anew at the next try; if this goes on, the sender's copy is damaged.",
        facts: { expected, got: digest, bytes: size },
      })
    }
    await this.#publish(this.#partial(name), digest)
    this.#receiving.delete(name)
    return { digest, size }
  }

  /** Says that a blob is still of use: {@link collect} goes by it. */
  async touch(digest: Digest): Promise<void> {
    const now = new Date()
    await utimes(this.path(digest), now, now)
  }

  /** Says that a blob is of no more use: the next {@link collect} removes it, unless it is needed. */
  async dismiss(digest: Digest): Promise<void> {
    await utimes(this.path(digest), 0, 0).catch(error => {
      if (error.code !== "ENOENT") throw error
    })
  }

  /**
   * Removes what nobody has used for so long: whole blobs but for those that are needed now, and partial ones.
   * @returns how many bytes that were.
   */
  async collect({ needed, unusedMs, partialMs }: Collection): Promise<number> {
    const isNeeded = (name: string) => needed.has(digestOfHex(name))
    const whole = await removeOlder(join(this.root, "sha256"), unusedMs, name => !isNeeded(name))
    return whole + (await removeOlder(join(this.root, "partial"), partialMs, () => true))
  }

  async discard(name: string): Promise<void> {
    this.#receiving.delete(name)
    await rm(this.#partial(name), { force: true })
  }

  /** Stores a whole source under its digest. */
  async add(source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Blob> {
    const name = `add-${crypto.randomUUID()}`
    try {
      await this.append(name, source, limitBytes)
      return await this.seal(name)
    } catch (error) {
      await this.discard(name)
      throw error
    }
  }

  async #publish(partial: string, digest: Digest): Promise<void> {
    await mkdir(join(this.root, "sha256"), { recursive: true, mode: 0o700 })
    const file = await open(partial, "r+")
    try {
      await file.sync()
      await file.chmod(0o444)
    } finally {
      await file.close()
    }
    await rename(partial, this.path(digest))
  }

  async #resume(name: string): Promise<Receiving> {
    const size = await this.received(name)
    const known = this.#receiving.get(name)
    if (known && known.size === size) return known
    const hash = createHash("sha256")
    if (size > 0)
      for await (const piece of createReadStream(this.#partial(name), { highWaterMark: READ_BYTES }))
        hash.update(piece)
    const receiving = { hash, size }
    this.#receiving.set(name, receiving)
    return receiving
  }

  async #appendFailed(name: string, error: unknown): Promise<unknown> {
    if (error instanceof Fault) {
      await this.discard(name)
      return error
    }
    return asDiskFull(error, this.root)
  }

  #partial(name: string): string {
    return join(this.root, "partial", name)
  }
}

function tooLarge(name: string, limitBytes: number): Fault {
  return new Fault("blob-corrupt", `The blob is larger than the ${limitBytes} bytes it may have.`, {
    hint: "Send what was announced, or ask for a higher limit.",
    facts: { name, limitBytes },
  })
}

async function removeOlder(folder: string, ageMs: number, mayGo: (name: string) => boolean): Promise<number> {
  let bytes = 0
  for (const name of (await readdir(folder).catch(() => [])).filter(mayGo)) {
    const found = await stat(join(folder, name)).catch(() => null)
    if (found === null || Date.now() - found.mtimeMs < ageMs) continue
    await rm(join(folder, name), { force: true })
    bytes += found.size
  }
  return bytes
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null
    throw error
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, offset)
    offset += bytesWritten
  }
}
