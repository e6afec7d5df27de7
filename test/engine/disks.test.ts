import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import { afterAll, beforeAll, expect, test } from "vitest"
import { chooseDisks, type Disks, mountedDisks, watchedDisks } from "../../src/runtime/container/disks.ts"
import { mountSmallDisk } from "../stand-in/small-disk.ts"

const signal = AbortSignal.timeout(60_000)
const MIB = 2 ** 20

let root: string
let disks: Disks
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-disks-"))
  disks = await chooseDisks(join(root, "shards"), signal)
  if (disks.kind !== "mounted")
    process.stderr.write("tests of mounted disks are skipped: this user or kernel cannot mount\n")
})
afterAll(async () => {
  for (const name of await readdir(root)) await disks.close(join(root, name))
  await rm(root, { recursive: true, force: true })
})

/** Root alone can mount; where tests run as root in CI, it has to. */
const mounted = (name: string, body: () => Promise<void>) =>
  test(name, async ({ skip }) => {
    if (process.env.CI && process.getuid?.() === 0) expect(disks.kind).toBe("mounted")
    if (disks.kind !== "mounted") skip("needs root and loop devices")
    await body()
  })

/** Writes until it is refused; how many bytes it got. */
async function fill(path: string, mib: number): Promise<number> {
  const { exitCode } = await execa("dd", ["if=/dev/zero", `of=${path}`, "bs=64k", `count=${mib * 16}`], {
    reject: false,
  })
  const { size } = await stat(path)
  return exitCode === 0 ? Number.POSITIVE_INFINITY : size
}

mounted("a folder takes what its limit promises and hardly more, whoever writes", async () => {
  const folder = join(root, "out")
  await disks.open(folder, 16, signal)
  const written = await fill(join(folder, "file"), 64)
  expect(written).toBeGreaterThanOrEqual(16 * MIB)
  expect(written).toBeLessThan(24 * MIB)
  expect(await disks.usedBytes(folder, 16 * MIB)).toBeGreaterThan(16 * MIB)
  await disks.close(folder)
})

mounted("names without bytes run out too", async () => {
  const folder = join(root, "names")
  await disks.open(folder, 1, signal)
  const { exitCode, stderr } = await execa(
    "sh",
    ["-c", 'i=0; while [ $i -lt 5000 ]; do : > "$1/$i" || exit 1; i=$((i+1)); done', "sh", folder],
    { reject: false },
  )
  expect(exitCode, stderr).not.toBe(0)
  expect(stderr).toContain("No space left")
  await disks.close(folder)
})

mounted("opening again keeps what is there, also when the machine was off in between", async () => {
  const folder = join(root, "checkpoint")
  await disks.open(folder, 2, signal)
  await writeFile(join(folder, "step"), "41")
  await disks.open(folder, 2, signal)
  expect(await readdir(folder)).toEqual(["step"])
  await disks.close(folder)
  expect(await readdir(folder)).toEqual([])
  await disks.open(folder, 2, signal)
  expect(await readdir(folder)).toEqual(["step"])
  await disks.close(folder)
})

mounted("what is not mounted cannot be written by a shard", async () => {
  const folder = join(root, "closed")
  await disks.open(folder, 1, signal)
  await disks.close(folder)
  expect((await stat(folder)).mode & 0o777).toBe(0)
})

mounted("nothing on it is a device, a program or set-uid", async () => {
  const folder = join(root, "flags")
  await disks.open(folder, 1, signal)
  const { stdout } = await execa("findmnt", ["--noheadings", "--output", "OPTIONS", folder])
  expect(stdout.split(",")).toEqual(expect.arrayContaining(["nosuid", "nodev", "noexec"]))
  await disks.close(folder)
})

mounted("a disk without room for the whole limit is refused before a shard begins", async () => {
  const small = join(root, "small")
  await mountedDisks.open(small, 8, signal)
  await expect(mountedDisks.open(join(small, "out"), 64, signal)).rejects.toMatchObject({ code: "disk-full" })
  await disks.close(small)
})

test("a disk that is full is a fault: nothing weaker is taken for want of room", async context => {
  const disk = await mountSmallDisk(context)
  await fill(join(disk.root, "ballast"), 2)
  await expect(chooseDisks(join(disk.root, "shards"), signal)).rejects.toMatchObject({
    code: "disk-full",
    exitCode: 75,
  })
  await disk.remove()
})

test.for(["mounted", "watched"] as const)(
  "a %s folder that is renewed is empty, and as large as before",
  async (kind, { skip }) => {
    if (kind === "mounted" && disks.kind !== "mounted") skip("needs root and loop devices")
    const own = kind === "mounted" ? mountedDisks : watchedDisks
    const folder = join(root, `renewed-${kind}`)
    await own.open(folder, 4, signal)
    await writeFile(join(folder, "file"), "left over")
    await own.renew(folder, 4, signal)
    expect(await readdir(folder)).toEqual([])
    if (kind === "mounted") expect(await fill(join(folder, "file"), 16)).toBeLessThan(12 * MIB)
    await own.close(folder)
  },
)
