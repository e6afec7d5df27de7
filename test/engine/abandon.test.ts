import { readdir } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { watchedDisks } from "../../src/runtime/container/disks.ts"
import { cancelled } from "../../src/runtime/shard/road.ts"
import { type Bench, engineOrReason, makeBench, type Wish, walkToEnd } from "./bench.ts"
import { publishShellImage } from "./image.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const sh = (script: string, more: Partial<Wish> = {}): Wish => ({ argv: ["sh", "-c", script], ...more })

const BAD_SHARDS: [name: string, code: string, message: RegExp, wish: Wish][] = [
  [
    "fails",
    "shard-failed",
    /exit code 3\. Its log ends: \[2Joh no$/,
    sh("printf '\\033[2Joh no\\n' >&2; exit 3"),
  ],
  [
    "goes on for too long",
    "shard-timed-out",
    /longer than its 1 s/,
    sh("sleep 50", { limits: { timeMs: 1000 } }),
  ],
  [
    "takes too much memory",
    "shard-out-of-memory",
    /memory/,
    sh("x=aaaaaaaa; while :; do x=$x$x; done", { resources: { memoryMiB: 16 } }),
  ],
  ["forgets an output", "shard-output-missing", /result\.txt/, sh("true")],
  ["links an output elsewhere", "shard-output-unsafe", /link/, sh("ln -s /etc/passwd /shard/out/result.txt")],
  [
    "gives an output two names",
    "shard-output-unsafe",
    /second name/,
    sh("cd /shard/out; echo x > result.txt; ln result.txt other"),
  ],
  ["makes an output a pipe", "shard-output-unsafe", /plain file/, sh("mkfifo /shard/out/result.txt")],
  ["makes an output a folder", "shard-output-unsafe", /plain file/, sh("mkdir /shard/out/result.txt")],
  [
    "writes one file over the limit",
    "shard-output-too-large",
    /over its limit/,
    sh("exec head -c 3000000 /dev/zero > /shard/out/result.txt"),
  ],
  [
    "writes many files over the limit",
    "shard-output-too-large",
    /shard\/out/,
    sh("for i in 1 2 3; do head -c 1000000 /dev/zero > /shard/out/$i; done; sleep 50"),
  ],
  [
    "writes too much to its checkpoint",
    "shard-too-large",
    /checkpoint/,
    sh("for i in 1 2 3; do head -c 1000000 /dev/zero > /shard/checkpoint/$i; done; sleep 50"),
  ],
  ["names no program of its image", "shard-failed", /no-such-program failed/, { argv: ["no-such-program"] }],
  [
    "asks for more CPUs than there are",
    "container-not-created",
    /created/,
    sh("true", { resources: { cpus: 256 } }),
  ],
  [
    "needs an input that nobody has",
    "blob-missing",
    /does not have/,
    sh("true", { inputs: [{ name: "x", digest: `sha256:${"0".repeat(64)}` as never, size: 1 }] }),
  ],
  [
    "needs an image that nobody has",
    "image-not-pulled",
    /could not be pulled/,
    sh("true", { image: { name: "test/none", digest: `sha256:${"0".repeat(64)}` as never } }),
  ],
]

test.skipIf(typeof engine === "string").for(BAD_SHARDS)(
  "a shard that %s is abandoned with %s and leaves nothing behind",
  async ([, code, message, wish], { expect }) => {
    const { end } = await walkToEnd(bench, bench.lease(wish))
    expect(end).toMatchObject({ step: "abandoned", code, message: expect.stringMatching(message) })
    expect(await bench.ports.engine.find({ home: bench.ports.home }, AbortSignal.timeout(30_000))).toEqual([])
    expect(await readdir(bench.ports.shardsRoot)).toEqual([])
    expect(bench.proofs).toEqual([])
  },
)

test.skipIf(typeof engine === "string").for(BAD_SHARDS.filter(([name]) => name.startsWith("writes")))(
  "where nothing can be mounted, a shard that %s is abandoned with %s too",
  async ([, code, message, wish], { expect }) => {
    const watched = { ...bench, ports: { ...bench.ports, disks: watchedDisks } }
    const { end } = await walkToEnd(watched, bench.lease(wish))
    expect(end).toMatchObject({ step: "abandoned", code, message: expect.stringMatching(message) })
    expect(await readdir(bench.ports.shardsRoot)).toEqual([])
  },
)

test.skipIf(typeof engine === "string")("an image that declares a volume is refused", async () => {
  const image = await publishShellImage(bench.registry, "test/volume", { Volumes: { "/data": {} } })
  const { end } = await walkToEnd(bench, bench.lease(sh("true", { image })))
  expect(end).toMatchObject({ step: "abandoned", from: "leased", code: "image-unsafe" })
})

test.skipIf(typeof engine === "string")("a cancelled lease ends its container at once", async () => {
  const control = new AbortController()
  const shard = bench.lease(sh('echo \'{"step":1,"steps":9}\'; sleep 50'))
  const { onProgress } = bench.ports
  bench.ports.onProgress = () => control.abort(cancelled("the job was withdrawn"))
  const { end } = await walkToEnd(bench, shard, control.signal)
  bench.ports.onProgress = onProgress
  expect(end).toMatchObject({ step: "abandoned", from: "running", code: "shard-cancelled" })
  expect(await bench.ports.engine.find({ home: bench.ports.home }, AbortSignal.timeout(30_000))).toEqual([])
})
