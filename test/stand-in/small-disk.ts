import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import type { TestContext } from "vitest"
import { skip } from "../contract/skip.ts"

/** A folder on a file system of 1 MiB of its own. */
export interface SmallDisk {
  root: string
  /** Makes room: 16 MiB from now on. */
  grow(): Promise<void>
  remove(): Promise<void>
}

/** Mounts it on an empty folder, by default a new one. Skips the test, saying why, where this user cannot mount. */
export async function mountSmallDisk(context: TestContext, folder?: string): Promise<SmallDisk> {
  const root = folder ?? (await mkdtemp(join(tmpdir(), "zg-full-")))
  const mounted = await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "none", root], { reject: false })
  if (mounted.failed) {
    await rm(root, { recursive: true })
    skip(context, `a file system of 1 MiB cannot be mounted here: ${mounted.stderr || mounted.shortMessage}`)
  }
  return {
    root,
    grow: async () => void (await execa("mount", ["-o", "remount,size=16m", root])),
    remove: async () => {
      await execa("umount", ["--lazy", root])
      await rm(root, { recursive: true })
    },
  }
}
