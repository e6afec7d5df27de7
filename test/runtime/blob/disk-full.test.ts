import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { BlobStore } from "../../../src/store/blob-store.ts"
import { skip } from "../../contract/skip.ts"

async function* pieces(bytes: Buffer) {
  for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536)
}

test("a full disk is a fault, and what arrived is gone on with once there is room", async context => {
  const root = await mkdtemp(join(tmpdir(), "zg-full-"))
  const mounted = await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "none", root], { reject: false })
  if (mounted.failed) {
    await rm(root, { recursive: true })
    skip(context, `a file system of 1 MiB cannot be mounted here: ${mounted.stderr || mounted.shortMessage}`)
  }
  try {
    const bytes = Buffer.alloc(3 << 20, 7)
    const store = new BlobStore(root)
    const full = store.append("a", pieces(bytes), bytes.length)
    await expect(full).rejects.toMatchObject({ code: "disk-full", hint: expect.stringContaining("ZG_HOME") })
    const received = await store.received("a")
    expect(received).toBeGreaterThan(0)
    await execa("mount", ["-o", "remount,size=8m", root])
    await store.append("a", pieces(bytes.subarray(received)), bytes.length)
    expect(await store.seal("a", digestOf(bytes))).toEqual({ digest: digestOf(bytes), size: bytes.length })
  } finally {
    await execa("umount", [root])
    await rm(root, { recursive: true })
  }
})
