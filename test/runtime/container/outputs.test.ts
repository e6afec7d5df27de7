import { execFileSync } from "node:child_process"
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { folderBytes } from "../../../src/runtime/container/folder-size.ts"
import { collectOutputs } from "../../../src/runtime/container/outputs.ts"
import { BlobStore } from "../../../src/store/blob-store.ts"

let out: string
let store: BlobStore
beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), "zg-outputs-test-"))
  store = new BlobStore(join(root, "blobs"))
  out = join(root, "out")
  await mkdir(out)
})
afterEach(() => rm(join(out, ".."), { recursive: true }))

const collect = (names: string[], limit = 1000) => collectOutputs(out, names, limit, store)

test("outputs become blobs in the order they were declared", async () => {
  await writeFile(join(out, "b"), "second")
  await writeFile(join(out, "a"), "")
  expect(await collect(["b", "a"])).toEqual([
    { name: "b", digest: digestOf("second"), size: 6 },
    { name: "a", digest: digestOf(""), size: 0 },
  ])
  expect(await store.size(digestOf("second"))).toBe(6)
})

test("an output of several reads is whole", async () => {
  const bytes = Buffer.alloc(3_500_000, "zg")
  await writeFile(join(out, "large"), bytes)
  expect(await collect(["large"], bytes.length)).toEqual([
    { name: "large", digest: digestOf(bytes), size: bytes.length },
  ])
})

const TRAPS: [what: string, code: string, lay: (path: string) => Promise<unknown>][] = [
  ["nothing", "shard-output-missing", async () => {}],
  ["a link to a host's file", "shard-output-unsafe", path => symlink("/etc/hostname", path)],
  ["a link to nowhere", "shard-output-unsafe", path => symlink("/nowhere", path)],
  ["a folder", "shard-output-unsafe", path => mkdir(path)],
  ["a pipe", "shard-output-unsafe", async path => execFileSync("mkfifo", [path])],
  [
    "a file with a second name",
    "shard-output-unsafe",
    async path => {
      await writeFile(join(out, "other"), "x")
      await link(join(out, "other"), path)
    },
  ],
  [
    "a sparse file over the limit",
    "shard-output-too-large",
    async path => {
      await writeFile(path, "")
      await truncate(path, 1 << 30)
    },
  ],
]

test.for(TRAPS)("%s as an output is %s", async ([, code, lay], { expect }) => {
  await lay(join(out, "trap"))
  await expect(collect(["trap"])).rejects.toMatchObject({ code })
})

test("a socket as an output is unsafe", async () => {
  const server = createServer().listen(join(out, "trap"))
  await new Promise(resolve => server.once("listening", resolve))
  await expect(collect(["trap"])).rejects.toMatchObject({ code: "shard-output-unsafe" })
  await new Promise(resolve => server.close(resolve))
})

test("the limit is on all outputs together", async () => {
  await writeFile(join(out, "a"), Buffer.alloc(600))
  await writeFile(join(out, "b"), Buffer.alloc(600))
  await expect(collect(["a", "b"])).rejects.toMatchObject({
    code: "shard-output-too-large",
    facts: { bytes: 600, limitBytes: 400 },
  })
})

test("a folder's size counts all below it, each entry at least a page, and no link's target", async () => {
  await mkdir(join(out, "deep/er"), { recursive: true })
  await writeFile(join(out, "deep/er/file"), Buffer.alloc(100_000))
  await symlink("/usr", join(out, "link"))
  const bytes = await folderBytes(out, 1e9)
  expect(bytes).toBeGreaterThanOrEqual(100_000 + 3 * 4096)
  expect(bytes).toBeLessThan(100_000 + 5 * 4096)
})

test("counting a folder ends soon after the limit, and a folder that is gone counts nothing", async () => {
  for (let index = 0; index < 50; index++) await writeFile(join(out, String(index)), "")
  expect(await folderBytes(out, 10 * 4096)).toBe(11 * 4096)
  expect(await folderBytes(join(out, "gone"), 1)).toBe(0)
})
