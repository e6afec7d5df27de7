import { afterAll, beforeAll, expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import { runLogRoot } from "../../src/protocol/run-log.ts"
import { checkProof } from "../../src/runtime/proof/verify.ts"
import type { Proved } from "../../src/runtime/shard/state.ts"
import { type Bench, engineOrReason, makeBench, type Wish, walkToEnd } from "./bench.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

const LOG = '{"segment":0}\n{"segment":1}\n'

/** Keeps three states and writes this run log. */
function segmented(log = LOG): Wish {
  const script = [
    "mkdir /shard/checkpoint/segments",
    "for i in 0 1 2; do echo state $i > /shard/checkpoint/segments/$i; done",
    `printf '${log.replaceAll("\n", "\\n")}' > /shard/out/run-log.jsonl`,
    "echo done > /shard/out/result.txt",
  ].join("; ")
  const outputs = ["result.txt", "run-log.jsonl"]
  return { argv: ["sh", "-c", script], outputs, segments: "kept" }
}

within("a run of segments proves its log, and its states are in the store", async () => {
  const { seen, end } = await walkToEnd(bench, bench.lease(segmented()))
  expect(end.step).toBe("settled")
  const proved = seen.find(({ step }) => step === "proved") as Proved
  const statement = checkProof(proved.bundle, bench.ports.signer.publicKey, proved.assignment)
  expect(statement.predicate.runDetails.byproducts).toContainEqual({
    name: "run-log",
    digest: { sha256: runLogRoot(LOG).slice("sha256:".length) },
  })
  expect(proved.states).toEqual(
    [0, 1, 2].map(index => ({ name: `${index}`, digest: digestOf(`state ${index}\n`), size: 8 })),
  )
  for (const { digest } of proved.states ?? []) expect(await bench.ports.store.size(digest)).toBe(8)
})

within("a log that is no text is a fault of the shard's", async () => {
  const { end } = await walkToEnd(bench, bench.lease(segmented("\\377")))
  expect(end).toMatchObject({ step: "abandoned", from: "ran", code: "shard-output-unsafe" })
})
