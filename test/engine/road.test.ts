import { readdir } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { checkProof, checkResult } from "../../src/runtime/proof/verify.ts"
import { type Bench, engineOrReason, makeBench, outputText, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const never = () => new AbortController().signal

test.skipIf(typeof engine === "string")(
  "a shard walks from its lease to its receipt",
  async () => {
    const shard = bench.lease({
      argv: [
        "sh",
        "-c",
        'echo \'{"step":1,"steps":2,"loss":0.5}\'; echo note; cat /shard/in/greeting /shard/spec.json > /shard/out/result.txt; sleep 1',
      ],
      inputs: [{ name: "greeting", ...bench.blob("hello\n") }],
    })
    const { seen, end, ran } = await walkToEnd(bench, shard)
    expect(seen.map(({ step }) => step)).toEqual([
      "leased",
      "prepared",
      "running",
      "ran",
      "proved",
      "settled",
    ])
    expect(end).toMatchObject({ step: "settled", paid: 250_000 })
    const [bundle] = bench.proofs
    const statement = checkProof(bundle, bench.ports.signer.publicKey, shard.assignment)
    checkResult(statement, ran.outputs)
    const [output] = ran.outputs
    if (output === undefined) throw new Error("no output")
    expect(await outputText(bench, output.digest)).toMatch(/^hello\n\{"command":/)
    expect(bench.registry.blobs.has(output.digest)).toBe(true)
    expect(bench.progress).toEqual([{ step: 1, steps: 2, loss: 0.5 }])
    expect(await bench.ports.engine.find({ home: bench.ports.home }, never())).toEqual([])
    expect(await readdir(bench.ports.shardsRoot)).toEqual([])
    expect(bench.journal.open()).toEqual([])
    expect(bench.journal.totals()).toEqual({ settled: 1, abandoned: 0, earned: 250_000 })
  },
  60_000,
)
