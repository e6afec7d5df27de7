import { readdir } from "node:fs/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { digestOf } from "../../src/protocol/digest.ts"
import { ProofStatement } from "../../src/protocol/proof.ts"
import type { Checkpoint } from "../../src/protocol/shard-spec.ts"
import { openBundle } from "../../src/protocol/statement.ts"
import { foldersOf } from "../../src/runtime/shard/ports.ts"
import type { Leased, OpenState } from "../../src/runtime/shard/state.ts"
import { type Bench, engineOrReason, makeBench, outputText, type Wish, walkToEnd } from "./bench.ts"
import { counted, counting } from "./road-programs.ts"

const engine = await engineOrReason()
if (typeof engine === "string") process.stderr.write(`engine tests are skipped: ${engine}\n`)
const within = test.skipIf(typeof engine === "string")

let bench: Bench
beforeAll(async () => {
  if (typeof engine !== "string") bench = await makeBench(engine)
}, 120_000)
afterAll(() => bench?.close(), 60_000)

/** Runs a shard whose program waits for nothing but to be told to end, until this many checkpoints were sent or given up. */
async function leave(shard: Leased, sent = 1): Promise<OpenState> {
  const stop = new AbortController()
  const enough = () =>
    bench.checkpoints.length + bench.unsent.length >= sent && stop.abort(new Error("shutdown"))
  const looking = setInterval(enough, 50)
  await expect(walkToEnd(bench, shard, stop.signal)).rejects.toThrow("shutdown")
  clearInterval(looking)
  return bench.journal.open().at(-1) as OpenState
}

/** Writes what it is told to write into its checkpoint, then idles. */
function writing(script: string): Wish {
  const argv = [
    "sh",
    "-c",
    `cd /shard/checkpoint; ${script}; trap 'exit 85' TERM; while :; do sleep 0.1; done`,
  ]
  return { argv, checkpoints: "travel" }
}

function forget(): void {
  bench.checkpoints.length = 0
  bench.unsent.length = 0
}

within("another host goes on from the last checkpoint that was sent, to the very same outputs", async () => {
  forget()
  const shard = bench.lease({ ...counting(40), checkpoints: "travel" })
  await leave(shard, 2)
  const checkpoint = bench.checkpoints.at(-1) as Checkpoint
  expect(checkpoint.map(({ name }) => name)).toEqual(["at"])
  const { assignment, berth } = shard
  const lease = { ...assignment.lease, epoch: 2 }
  const elsewhere = await makeBench(bench.ports.engine)
  elsewhere.ports.registry = bench.ports.registry
  elsewhere.ports.transfer = bench.ports.transfer.over(elsewhere.ports.store)
  const next: Leased = { step: "leased", assignment: { ...assignment, lease, checkpoint }, berth }
  const { end, ran, seen } = await walkToEnd(elsewhere, next)
  const proved = seen.find(state => state.step === "proved")
  expect(end).toMatchObject({ step: "settled" })
  expect(await outputText(elsewhere, ran.outputs[0]?.digest as never)).toBe(counted(40))
  expect(await outputText(elsewhere, ran.log)).toMatch(/begun at [1-9]/)
  const { predicate } = openBundle(proved?.bundle, elsewhere.ports.signer.publicKey, ProofStatement)
  expect(predicate.buildDefinition.resolvedDependencies).toContainEqual({
    name: "checkpoint/at",
    digest: { sha256: checkpoint[0]?.digest.slice("sha256:".length) },
  })
  await elsewhere.close()
})

within("what does not change is sent once, and nothing on its way stays in the shard's folder", async () => {
  forget()
  const shard = bench.lease(writing("echo one > model"))
  const stop = new AbortController()
  const looks = Promise.withResolvers<void>()
  setTimeout(looks.resolve, 10 * bench.ports.sendEveryMs)
  const walking = walkToEnd(bench, shard, stop.signal)
  walking.catch(() => {})
  await looks.promise
  expect(bench.checkpoints).toEqual([[{ name: "model", digest: digestOf("one\n"), size: 4 }]])
  const inFolder = await readdir(foldersOf(shard, bench.ports).root)
  expect(inFolder.filter(name => name.startsWith("baggage"))).toEqual([])
  stop.abort(new Error("shutdown"))
  await expect(walking).rejects.toThrow("shutdown")
})

within("without the job's wish nothing is sent", async () => {
  forget()
  const { end } = await walkToEnd(bench, bench.lease(counting(12)))
  expect(end.step).toBe("settled")
  expect(bench.checkpoints).toEqual([])
})

within("links, pipes, folders, second names and hidden files stay where they are", async () => {
  forget()
  const script = [
    "echo good > good",
    "ln -s /etc/passwd link",
    "mkfifo pipe",
    "mkdir folder; echo deep > folder/deep",
    "echo twin > twin; ln twin twin-2",
    "echo half > .half",
    "echo odd > 'odd name'",
  ].join("; ")
  await leave(bench.lease(writing(script)))
  expect(bench.checkpoints[0]).toEqual([{ name: "good", digest: digestOf("good\n"), size: 5 }])
})

within("a file that claims more than the folder holds is not sent, and the shard goes on", async () => {
  forget()
  const limits = { outMiB: 64, checkpointMiB: 4 }
  await leave(bench.lease({ ...writing("truncate -s 32M sparse"), limits }))
  expect(bench.checkpoints).toEqual([])
  expect(bench.unsent[0]).toMatchObject({ code: expect.stringMatching(/^shard-output-too-large$/) })
})
