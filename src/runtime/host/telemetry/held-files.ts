import { constants } from "node:fs"
import { access, type FileHandle, open } from "node:fs/promises"
import type { Sysfs } from "../drm/sysfs.ts"

/** An attribute has one page at most (Documentation/filesystems/sysfs.rst). */
const PAGE_BYTES = 4096

/** What a card answers that sleeps, is busy or does not let us read: no value this time, and its file stays good. */
const NO_VALUE = [
  "EIO",
  "EINVAL",
  "EBUSY",
  "EPERM",
  "EACCES",
  "EAGAIN",
  "ETIMEDOUT",
  "EREMOTEIO",
  "ENODATA",
  "ENOTSUP",
]

/**
 * Attributes that are opened once and read again and again from their start, which makes the kernel write them anew. Reading is
 * one call to the kernel where a path's look-up on every reading takes a dozen.
 */
export class HeldFiles {
  readonly #sysfs: Sysfs
  readonly #folder: string
  /** Null where there is no such file. */
  readonly #handles = new Map<string, FileHandle | null>()
  readonly #fixed = new Map<string, string | null>()
  readonly #buffer = Buffer.alloc(PAGE_BYTES)

  /** @param folder the real place that must be there for anything below it to count. */
  constructor(sysfs: Sysfs, folder: string) {
    this.#sysfs = sysfs
    this.#folder = folder
  }

  /** @throws when the folder is no more: a handle to a file that was taken away might go on telling old values. */
  async check(): Promise<void> {
    await access(this.#folder)
  }

  /**
   * An attribute as text without the white space around it; null when there is nothing in it.
   * @throws when the file is no more.
   */
  async text(place: string): Promise<string | null> {
    const text = (await this.bytes(place))?.toString("utf8").replaceAll("\0", "").trim()
    return text === undefined || text === "" ? null : text
  }

  /** As {@link text}, for an attribute that is none; the bytes are good until the next reading. */
  async bytes(place: string): Promise<Buffer | null> {
    const handle = this.#handles.get(place) ?? (await this.#open(place))
    if (handle === null) return null
    try {
      const { bytesRead } = await handle.read(this.#buffer, 0, PAGE_BYTES, 0)
      return this.#buffer.subarray(0, bytesRead)
    } catch (error) {
      if (NO_VALUE.includes((error as NodeJS.ErrnoException).code ?? "")) return null
      throw error
    }
  }

  /** As {@link text}, for what stays as it is while the driver runs: read once. */
  async fixed(place: string): Promise<string | null> {
    const known = this.#fixed.get(place)
    if (known !== undefined) return known
    const text = await this.#sysfs.text(place)
    this.#fixed.set(place, text)
    return text
  }

  async close(): Promise<void> {
    const handles = [...this.#handles.values()]
    this.#handles.clear()
    await Promise.all(handles.map(handle => handle?.close().catch(() => {})))
  }

  async #open(place: string): Promise<FileHandle | null> {
    if (this.#handles.has(place)) return null
    const file = await this.#sysfs.resolve(place)
    const handle = file === null ? null : await openFile(file)
    this.#handles.set(place, handle)
    return handle
  }
}

async function openFile(file: string): Promise<FileHandle | null> {
  // A named pipe in a tree would otherwise hold the thread for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null)
  const about = await handle?.stat().catch(() => null)
  if (handle === null || about?.isFile()) return handle
  await handle.close()
  return null
}
