import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { connectEngine } from "../../../src/runtime/container/connect.ts"
import { RESERVE_BYTES, whileRoom } from "../../../src/runtime/container/image-room.ts"
import { StandInRegistry } from "../../stand-in/registry.ts"
import { publishImage } from "../image.ts"
import { type OwnDockerd, startDockerd } from "./own-dockerd.ts"

const DISK_BYTES = RESERVE_BYTES + (400 << 20)
const BOMB_BYTES = 900 << 20
const limit = () => AbortSignal.timeout(60_000)

const root = mkdtempSync(join(tmpdir(), "zg-room-"))
const disk = join(root, "disk")
const isRoot = process.getuid?.() === 0
const daemon = isRoot ? await startOnSmallDisk() : "a small disk of its own needs root"
if (typeof daemon === "string") process.stderr.write(`A layer that fills the disk is skipped: ${daemon}\n`)
const within = test.skipIf(typeof daemon === "string")

async function startOnSmallDisk(): Promise<OwnDockerd | string> {
  const file = join(root, "disk.img")
  writeFileSync(file, "")
  truncateSync(file, DISK_BYTES)
  mkdirSync(disk)
  execFileSync("mkfs.ext4", ["-q", "-m", "0", file])
  execFileSync("mount", ["-o", "loop", file, disk])
  return startDockerd({}, join(disk, "docker"))
}

beforeAll(() => {
  if (typeof daemon !== "string") vi.stubEnv("DOCKER_HOST", daemon.host)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  if (typeof daemon !== "string") await daemon.close()
  if (isRoot) execFileSync("umount", [disk])
  rmSync(root, { recursive: true })
})

/** A layer of a few hundred KB that unpacks to more than the disk has room for. */
function bomb(): Buffer {
  const folder = mkdtempSync(join(root, "layer-"))
  writeFileSync(join(folder, "zeros"), "")
  truncateSync(join(folder, "zeros"), BOMB_BYTES)
  const tar = execFileSync("tar", ["--create", "-C", folder, "."], { maxBuffer: BOMB_BYTES + (1 << 20) })
  rmSync(folder, { recursive: true })
  return tar
}

within(
  "a layer that unpacks to more than there is room for is given up, and what it took is free again",
  async () => {
    await using registry = await StandInRegistry.start()
    const { name, digest } = publishImage(registry, "zg-test/bomb", bomb())
    const engine = await connectEngine({ signal: limit() })
    let least = Number.POSITIVE_INFINITY
    const free = () => {
      const { bavail, bsize } = statfsSync(disk)
      least = Math.min(least, bavail * bsize)
      return bavail * bsize
    }
    const before = free()
    const looking = setInterval(free, 50)
    const pulling = engine.images.pull(`${registry.host}/${name}@${digest}`, null, limit())
    await expect(pulling).rejects.toMatchObject({ code: "disk-full", hint: expect.stringContaining("prune") })
    await expect.poll(free, { timeout: 20_000 }).toBeGreaterThan(before - (50 << 20))
    clearInterval(looking)
    process.stderr.write(`of 1 GiB to be left free, ${Math.round(least / 2 ** 20)} MiB were at least\n`)
    expect(least).toBeGreaterThan(RESERVE_BYTES / 2)
  },
)

test("nothing is begun where too little is free already, and a folder that is not here stops nothing", async () => {
  const begun = vi.fn(async () => "done")
  const starting = whileRoom(root, begun, limit(), Number.MAX_SAFE_INTEGER)
  await expect(starting).rejects.toMatchObject({ code: "disk-full" })
  expect(begun).not.toHaveBeenCalled()
  expect(await whileRoom(null, begun, limit(), Number.MAX_SAFE_INTEGER)).toBe("done")
})
