import { constants, type Stats } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import type { FileName, NamedBlob } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { BlobStore } from "../../store/blob-store.ts"

const READ_BYTES = 1 << 20

/**
 * Takes the declared outputs of a container that has ended into the store. Each is opened without following a link, has to be a plain
 * file with one name, and is hashed while it is copied: what was hashed is what is kept.
 * @throws Fault `shard-output-missing`, `shard-output-unsafe`, or `shard-output-too-large` when all together are over the limit.
 */
export async function collectOutputs(
  folder: string,
  outputs: readonly FileName[],
  limitBytes: number,
  store: BlobStore,
): Promise<NamedBlob[]> {
  const blobs: NamedBlob[] = []
  let room = limitBytes
  for (const name of outputs) {
    const blob = await collectOutput(join(folder, name), name, room, store)
    room -= blob.size
    blobs.push(blob)
  }
  return blobs
}

async function collectOutput(
  path: string,
  name: FileName,
  room: number,
  store: BlobStore,
): Promise<NamedBlob> {
  const file = await openOutput(path, name)
  try {
    const stats = await file.stat()
    checkOutput(name, stats, room)
    return { name, ...(await store.add(bytesOf(file, stats.size), stats.size)) }
  } finally {
    await file.close()
  }
}

async function openOutput(path: string, name: FileName): Promise<FileHandle> {
  try {
    // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === "ENOENT") throw missing(name, cause)
    if (code === "ELOOP") throw unsafe(name, "it is a link", cause)
    if (code === "EACCES" || code === "ENXIO") throw unsafe(name, "it cannot be opened for reading", cause)
    throw cause
  }
}

function checkOutput(name: FileName, stats: Stats, room: number): void {
  if (!stats.isFile()) throw unsafe(name, "it is not a plain file")
  if (stats.nlink !== 1) throw unsafe(name, "it has a second name")
  if (stats.size > room)
    throw outputTooLarge(`The output ${name} is over the shard's limit.`, stats.size, room)
}

async function* bytesOf(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(Math.min(size, READ_BYTES))
  for (let position = 0; position < size; ) {
    const length = Math.min(buffer.length, size - position)
    const { bytesRead } = await file.read(buffer, 0, length, position)
    if (bytesRead === 0) return
    // The reader is done with a piece before it asks for the next, so one buffer serves for all.
    yield buffer.subarray(0, bytesRead)
    position += bytesRead
  }
}

export function outputTooLarge(message: string, bytes: number, limitBytes: number): Fault {
  return new Fault("shard-output-too-large", message, {
    hint: "Write less to /shard/out, or ask for a higher limits.outMiB.",
    facts: { bytes, limitBytes },
  })
}

function missing(name: FileName, cause: unknown): Fault {
  return new Fault("shard-output-missing", `The shard ended well but did not write its output ${name}.`, {
    hint: "Write every declared output to /shard/out before the program ends.",
    facts: { name },
    cause,
  })
}

function unsafe(name: FileName, why: string, cause?: unknown): Fault {
  return new Fault("shard-output-unsafe", `The output ${name} is not taken: ${why}.`, {
    hint: "Write outputs as plain, readable files in /shard/out.",
    facts: { name, why },
    cause,
  })
}
