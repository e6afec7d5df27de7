import { execFileSync } from "node:child_process"
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { foldersOf } from "../../../src/runtime/shard/ports.ts"
import type { Running } from "../../../src/runtime/shard/state.ts"
import { collectStates } from "../../../src/runtime/shard/states.ts"
import { BlobStore } from "../../../src/store/blob-store.ts"
import { RUNNING } from "./sample.ts"

const { assignment } = RUNNING
const limits = { ...assignment.spec.limits, checkpointMiB: 1 }
const KEPT: Running = {
  ...RUNNING,
  assignment: { ...assignment, spec: { ...assignment.spec, limits, segments: "kept" } },
}

let root: string
let store: BlobStore
let segments: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zg-states-test-"))
  store = new BlobStore(join(root, "blobs"))
  segments = join(foldersOf(KEPT, { shardsRoot: root, store }).checkpoint, "segments")
  await mkdir(segments, { recursive: true })
})
afterEach(() => rm(root, { recursive: true }))

const collect = (shard = KEPT) => collectStates(shard, { shardsRoot: root, store })

test("the states between segments become blobs, where the spec has them kept", async () => {
  for (const index of [1, 0]) await writeFile(join(segments, `${index}.safetensors`), `state ${index}`)
  expect(await collect()).toEqual({
    states: [0, 1].map(index => ({
      ...{ name: `${index}.safetensors`, digest: digestOf(`state ${index}`), size: 7 },
    })),
  })
  expect(await store.size(digestOf("state 1"))).toBe(7)
  expect(await collect(RUNNING)).toEqual({})
})

test("a program that left no folder has no states", async () => {
  await rm(segments, { recursive: true })
  expect(await collect()).toEqual({})
})

test("a folder that leads elsewhere is not gone into", async () => {
  await rm(segments, { recursive: true })
  await mkdir(join(root, "hosts-own"))
  await writeFile(join(root, "hosts-own", "secret"), "the host's")
  await symlink(join(root, "hosts-own"), segments)
  expect(await collect()).toEqual({})
  expect(await store.size(digestOf("the host's"))).toBeNull()
})

test("links, pipes, folders, second names and hidden files stay where they are", async () => {
  await writeFile(join(segments, "good"), "good")
  await symlink("/etc/hostname", join(segments, "link"))
  execFileSync("mkfifo", [join(segments, "pipe")])
  await mkdir(join(segments, "folder"))
  await writeFile(join(segments, ".half"), "half")
  await writeFile(join(segments, "odd name"), "odd")
  await writeFile(join(root, "twin"), "twin")
  await link(join(root, "twin"), join(segments, "twin"))
  expect((await collect()).states?.map(({ name }) => name)).toEqual(["good"])
})

test("as many states as an audit can ask for are taken, and not one more", async () => {
  for (let index = 0; index < 1025; index++) await writeFile(join(segments, `${index}`), "")
  expect((await collect()).states).toHaveLength(1025)
  await writeFile(join(segments, "1025"), "")
  await expect(collect()).rejects.toMatchObject({ code: "shard-too-large" })
})

test("a file that claims more than the checkpoint may hold is not read", async () => {
  await writeFile(join(segments, "0"), "")
  await truncate(join(segments, "0"), 1 << 30)
  await expect(collect()).rejects.toMatchObject({ code: "shard-output-too-large" })
})
