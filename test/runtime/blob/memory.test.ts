import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { digestOf } from "../../../src/protocol/digest.ts"
import { StandInRegistry } from "../../stand-in/registry.ts"

const BLOB_MIB = 384
/** Pieces and the collector's slack come to 60 to 110 MiB whatever the size; a blob in memory would be all of BLOB_MIB. */
const GROWTH_LIMIT_MIB = BLOB_MIB / 2

const PROGRAM = String.raw`
import { BlobTransfer } from "./src/runtime/blob/transfer.ts"
import { BlobStore } from "./src/store/blob-store.ts"
import { readFileSync } from "node:fs"
// Not maxRSS: that starts with the size of the process which forked this one (getrusage(2)).
const peakMiB = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024
const [url, root, digest, size] = process.argv.slice(1)
const store = new BlobStore(root)
const transfer = new BlobTransfer({ registry: { url, token: () => "t" }, store })
const blob = { digest, size: Number(size) }
await fetch(url)
const before = peakMiB()
await transfer.download(blob, AbortSignal.timeout(60_000))
await fetch(url + "/forget")
await transfer.upload(blob, AbortSignal.timeout(60_000))
process.stdout.write(JSON.stringify({ growthMiB: peakMiB() - before }))
`

test("a blob of 384 MiB goes both ways in less than half of that memory", async () => {
  const bytes = Buffer.alloc(BLOB_MIB << 20, 7)
  const digest = digestOf(bytes)
  const root = await mkdtemp(join(tmpdir(), "zg-memory-test-"))
  await using registry = await StandInRegistry.start({
    mishap: ({ path }) => {
      if (path === "/forget") registry.blobs.delete(digest)
      return null
    },
  })
  registry.put(bytes)
  const args = [
    "--input-type=module-typescript",
    "-e",
    PROGRAM,
    registry.url,
    root,
    digest,
    String(bytes.length),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  await rm(root, { recursive: true })
  const { growthMiB } = JSON.parse(stdout) as { growthMiB: number }
  expect(registry.blobs.get(digest)?.length).toBe(bytes.length)
  expect(growthMiB).toBeLessThan(GROWTH_LIMIT_MIB)
}, 120_000)
