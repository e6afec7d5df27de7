import { expect, test } from "vitest"
import { digestOf } from "../../../../src/protocol/digest.ts"
import {
  tokensPerStep,
  workloadFor,
  workSpec,
  workText,
} from "../../../../src/runtime/bench/trainer/workload.ts"
import { DEFAULT_RULES } from "../../../../src/runtime/host/rules/rules.ts"

const text = workText()
const shard = {
  workload: workloadFor("cpu"),
  device: "cpu" as const,
  image: digestOf("image"),
  share: { cpus: 1.5, memoryMiB: 2048, vramMiB: 0 },
  text: { digest: digestOf(text), size: text.length },
  timeMs: 60_000,
  rules: DEFAULT_RULES,
}

test("the text is the same everywhere and at every time", () => {
  expect(text).toHaveLength(256 << 10)
  expect(digestOf(text)).toBe("sha256:959d52032ac64f88cd15f559c3acfd0acdca311270572c0ce883b30ab690bd2d")
  expect(workText().equals(text)).toBe(true)
  expect(text.toString("latin1")).toMatch(/^[a-z ]+$/)
})

test("the work is a shard like any other, with the slot's share of the machine", () => {
  const spec = workSpec(shard)
  expect(spec.command.argv).toEqual([
    ...["python3", "-m", "trainer", "warm-up", "--steps=1000000", "--batch=8"],
    ...["--layers=5", "--width=128", "--heads=4", "--context=128", "--seed=1", "--threads=1", "--device=cpu"],
  ])
  expect(spec.resources).toEqual({ device: "cpu", ...shard.share })
  expect(spec.inputs).toEqual([{ name: "text-0", ...shard.text }])
  expect(spec.limits).toMatchObject({ timeMs: 60_000, pids: 128, outMiB: 8 })
})

test("the owner's limits hold for it", () => {
  const rules = { limits: { ...DEFAULT_RULES.limits, pids: 40, outMiB: 2 } }
  expect(workSpec({ ...shard, rules }).limits).toMatchObject({ pids: 40, outMiB: 2, checkpointMiB: 8 })
})

test("cards of both makers get the larger model, which PyTorch finds as cuda", () => {
  for (const device of ["cuda", "rocm"] as const) {
    const workload = workloadFor(device)
    expect([workload.name, tokensPerStep(workload)]).toEqual(["trainer-25m", 4096])
    expect(workSpec({ ...shard, workload, device }).command.argv).toContain("--device=cuda")
  }
  expect(tokensPerStep(workloadFor("cpu"))).toBe(1024)
})
