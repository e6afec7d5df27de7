import { randomFillSync } from "node:crypto"
import type { FileHandle } from "node:fs/promises"
import type { Measurement } from "../../../protocol/measurement.ts"
import { LANES } from "./lanes.ts"
import { openMemory } from "./linear-memory.ts"

export const PIECE_BYTES = 1 << 20
/** One page, as databases and checkpoints write; all file systems take it at its own boundaries. */
export const BLOCK_BYTES = 4096

type Way = "read" | "write"

/** One thing that is tried with the disk, by lanes: what a lane does at a time, and what has to be done before the clock stops. */
export interface Trial extends Pick<Measurement, "name" | "unit"> {
  way: Way
  step: (lane: number) => Promise<number>
  settle: () => Promise<void>
}

/** One file, and what is done with it. */
export class Disk {
  /** Whether the page cache is out of the way. */
  readonly isDirect: boolean
  readonly #file: FileHandle
  readonly #bytes: number
  /** From the beginning, what holds data. */
  #filled = 0
  #cursor = 0
  #inWindow = 0
  /** Page by page, as O_DIRECT asks for: WebAssembly's memory is. */
  readonly #buffers: readonly Uint8Array<ArrayBuffer>[]

  constructor(file: FileHandle, isDirect: boolean, bytes: number) {
    const { buffer } = openMemory(LANES * PIECE_BYTES)
    // Some disks make zeros short.
    randomFillSync(new Uint8Array(buffer))
    this.#buffers = Array.from(
      { length: LANES },
      (_, lane) => new Uint8Array(buffer, lane * PIECE_BYTES, PIECE_BYTES),
    )
    this.#file = file
    this.#bytes = bytes
    this.isDirect = isDirect
  }

  /** In their order: what is read has been written before. */
  get trials(): Trial[] {
    const synced = this.isDirect ? "" : "-synced"
    const write = (lane: number) => this.#piece("write", lane)
    const read = (lane: number) => this.#piece("read", lane)
    const writeBlock = (lane: number) => this.#block("write", lane)
    const readBlock = (lane: number) => this.#block("read", lane)
    const sync = () => this.#file.datasync()
    const nothing = async () => {}
    return [
      { name: `disk-write-sequential${synced}`, unit: "B/s", way: "write", step: write, settle: sync },
      { name: "disk-read-sequential", unit: "B/s", way: "read", step: read, settle: nothing },
      { name: "disk-read-4k-random", unit: "op/s", way: "read", step: readBlock, settle: nothing },
      {
        name: `disk-write-4k-random${synced}`,
        unit: "op/s",
        way: "write",
        step: writeBlock,
        settle: nothing,
      },
    ]
  }

  /** Before each window. */
  begin(): void {
    this.#inWindow = 0
  }

  /** Not more than the whole file in one window: what is written twice before it is synced goes to the disk once. */
  async #piece(way: Way, lane: number): Promise<number> {
    const end = way === "write" ? this.#bytes : this.#filled
    if (this.#inWindow >= end) return 0
    if (this.#cursor >= end) this.#cursor = 0
    const position = this.#cursor
    this.#cursor += PIECE_BYTES
    this.#inWindow += PIECE_BYTES
    await this.#move(way, lane, PIECE_BYTES, position)
    if (way === "write") this.#filled = Math.max(this.#filled, position + PIECE_BYTES)
    return PIECE_BYTES
  }

  async #block(way: Way, lane: number): Promise<number> {
    const position = Math.floor((Math.random() * this.#filled) / BLOCK_BYTES) * BLOCK_BYTES
    await this.#move(way, lane, BLOCK_BYTES, position)
    if (way === "write" && !this.isDirect) await this.#file.datasync()
    return 1
  }

  async #move(way: Way, lane: number, length: number, position: number): Promise<void> {
    const buffer = this.#buffers[lane]
    if (buffer === undefined) throw new TypeError(`there is no lane ${lane}`)
    const moved =
      way === "read"
        ? (await this.#file.read(buffer, 0, length, position)).bytesRead
        : (await this.#file.write(buffer, 0, length, position)).bytesWritten
    // A disk that is full takes a part first.
    if (moved < length) throw Object.assign(new Error(`only a part was ${way}`), { code: "ENOSPC" })
  }
}
