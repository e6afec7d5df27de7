import { readdir } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Digest, digestOf } from "../../src/protocol/digest.ts"
import { Fault } from "../../src/protocol/fault.ts"
import { runLogRoot } from "../../src/protocol/run-log.ts"
import { checkProof } from "../../src/runtime/proof/verify.ts"
import type { HandedIn } from "../../src/runtime/shard/ports.ts"
import type { Committed, Proved } from "../../src/runtime/shard/state.ts"
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

within("a log that is not in the store any more is a fault, and no end of the agent", async () => {
  const { ran } = await walkToEnd(bench, bench.lease(segmented()))
  const lost = { name: "run-log.jsonl" as never, digest: digestOf("lost"), size: 4 }
  const { assignment } = bench.lease(segmented())
  const { end } = await walkToEnd(bench, { ...ran, assignment, outputs: [lost] })
  expect(end).toMatchObject({ step: "abandoned", from: "ran", code: "shard-output-missing" })
})

within("a log that is no text is a fault of the shard's", async () => {
  const { end } = await walkToEnd(bench, bench.lease(segmented("\\377")))
  expect(end).toMatchObject({ step: "abandoned", from: "ran", code: "shard-output-unsafe" })
})

const state = (index: number) => digestOf(`state ${index}\n`)
const never = () => new AbortController().signal

/** The bench, with a marketplace that answers these first, and then with the receipt. */
function audited(...answers: (Digest[] | Fault)[]): Bench {
  const { ports } = bench
  const handIn: typeof ports.handIn = async (...what): Promise<HandedIn> => {
    const answer = answers.shift()
    if (answer instanceof Fault) throw answer
    return answer ? { reveal: answer } : ports.handIn(...what)
  }
  return { ...bench, ports: { ...ports, handIn } }
}

within(
  "what audits ask for is shown, what is gone is told once, and the place is vacated meanwhile",
  async () => {
    bench.unsent.length = 0
    const gone = digestOf("nobody made this")
    const asked = [[], [state(1)], [state(1), gone], [state(2), gone]]
    const { seen, end } = await walkToEnd(audited(...asked), bench.lease(segmented()))
    expect(seen.slice(-3).map(({ step }) => step)).toEqual(["proved", "committed", "settled"])
    expect(end.step).toBe("settled")
    expect([0, 1, 2].map(index => bench.registry.blobs.has(state(index)))).toEqual([false, true, true])
    expect(bench.unsent).toMatchObject([{ code: "blob-missing", facts: { digest: gone } }])
    // The states have done their duty; the outputs stay as long as any blob.
    const [{ store }, unusedMs] = [bench.ports, 86_400_000]
    await store.collect({ needed: new Set([state(0)]), unusedMs, partialMs: unusedMs })
    expect(await Promise.all([0, 1].map(index => store.size(state(index))))).toEqual([8, null])
    expect(await store.size(digestOf("done\n"))).toBe(5)
  },
)

within("a shutdown between committed and receipt leaves a shard without a place, which goes on", async () => {
  const shard = bench.lease(segmented())
  const stop = new AbortController()
  const town = audited(...Array(100).fill([]))
  const walking = walkToEnd(town, shard, stop.signal)
  walking.catch(() => {})
  const places = async () => [
    await readdir(bench.ports.shardsRoot),
    await bench.ports.engine.find({ home: bench.ports.home }, never()),
  ]
  await expect.poll(() => bench.journal.open(), { timeout: 30_000 }).toMatchObject([{ step: "committed" }])
  await expect.poll(places, { timeout: 10_000 }).toEqual([[], []])
  stop.abort(new Error("shutdown"))
  await expect(walking).rejects.toThrow("shutdown")
  const [left] = bench.journal.open()
  const { end } = await walkToEnd(audited([state(0)]), left as Committed)
  expect(end).toMatchObject({ step: "settled", proof: (left as Committed).proof })
  expect(bench.registry.blobs.has(state(0))).toBe(true)
})

within("an agent that ends as soon as a shard is committed leaves nothing of it in its place", async () => {
  const stop = new AbortController()
  const { ports } = bench
  const handIn: typeof ports.handIn = async () => {
    stop.abort(new Error("drained"))
    return { reveal: [] }
  }
  const shard = bench.lease(segmented())
  await expect(walkToEnd({ ...bench, ports: { ...ports, handIn } }, shard, stop.signal)).rejects.toThrow(
    "drained",
  )
  const { lease } = shard.assignment
  const left = bench.journal.open().find(({ assignment }) => assignment.lease.id === lease.id)
  expect(left?.step).toBe("committed")
  expect(await readdir(ports.shardsRoot)).toEqual([])
  expect(await ports.engine.find({ home: ports.home }, never())).toEqual([])
  await walkToEnd(bench, left as Committed)
})

within("a proof whose audit failed is over", async () => {
  const failed = new Fault("audit-failed", "Two others came to another result.", { hint: "-" })
  const { end } = await walkToEnd(audited([], failed), bench.lease(segmented()))
  expect(end).toMatchObject({ step: "abandoned", from: "committed", code: "audit-failed" })
})
