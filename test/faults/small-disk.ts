import { closeSync, openSync, rmSync, writeSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { execa } from "execa"

const MIB = 2 ** 20
const BLOCK = 4096

/** A folder on a file system of its own, in memory, that can be made full and empty again. */
export class SmallDisk {
  readonly root: string
  readonly #ballast: string

  private constructor(root: string) {
    this.root = root
    this.#ballast = join(root, "ballast")
  }

  static async mount(root: string, sizeMiB: number): Promise<SmallDisk> {
    await mkdir(root, { recursive: true, mode: 0o700 })
    await execa("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m,mode=700`, "none", root])
    return new SmallDisk(root)
  }

  /** Takes all that is left. What others wrote before stays theirs. */
  fill(): void {
    const file = openSync(this.#ballast, "a", 0o600)
    try {
      for (const size of [MIB, BLOCK]) writeUntilFull(file, Buffer.alloc(size))
    } finally {
      closeSync(file)
    }
  }

  empty(): void {
    rmSync(this.#ballast, { force: true })
  }

  async unmount(): Promise<void> {
    await execa("umount", ["--lazy", this.root])
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    while (writeSync(file, block) === block.length);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
  }
}
