import { expect, test } from "vitest"
import { wallsOf } from "../../../../src/runtime/container/policy.ts"
import { flagsDigest } from "../../../../src/runtime/container/sandbox.ts"
import { describePolicy } from "../../../../src/runtime/host/rules/describe.ts"
import { DEFAULT_RULES } from "../../../../src/runtime/host/rules/rules.ts"
import { specOf } from "./sample.ts"

const GRACE_MS = 10_000
const strict = describePolicy(DEFAULT_RULES, "strict", GRACE_MS)

test("every wall is shown, and those that vary are those with a number of the shard's", () => {
  const { limits, resources } = specOf()
  expect(strict.walls.map(({ flag, stops }) => ({ flag, stops }))).toEqual(
    wallsOf("strict", limits, resources, GRACE_MS),
  )
  const names = (varies: boolean) =>
    strict.walls.filter(wall => wall.varies === varies).map(({ flag }) => /^--[a-z-]+/.exec(flag)?.[0])
  expect(new Set(names(true))).toEqual(
    new Set("--pids-limit --memory --memory-swap --cpus --ulimit --shm-size --tmpfs --log-opt".split(" ")),
  )
  expect(names(false)).toEqual(expect.arrayContaining(["--network", "--read-only", "--cap-drop", "--user"]))
})

test("the digest shown is the one that a proof of such a shard carries", () => {
  const spec = specOf({ command: { argv: ["another", "command"], env: { SEED: "7" } } })
  const labels = { lease: "0".repeat(32), epoch: 3, spec: spec.image.digest, home: "home" }
  const folders = { spec: "/x/spec.json", inputs: [], out: "/x/out", checkpoint: "/x/checkpoint" }
  const placement = { spec, image: "host/net", labels, folders, graceMs: GRACE_MS }
  const uuid = "GPU-00000000-0000-0000-0000-000000000000"
  expect(strict.flagsDigests).toEqual({
    cpu: flagsDigest({ ...placement, gpu: { device: "cpu" } }),
    cuda: flagsDigest({ ...placement, gpu: { device: "cuda", uuid, through: "gpus" } }),
    rocm: flagsDigest({
      ...placement,
      gpu: { device: "rocm", renderNode: "/dev/dri/renderD128", group: 44 },
    }),
  })
  expect(describePolicy(DEFAULT_RULES, "jit", GRACE_MS).flagsDigests.cpu).not.toBe(strict.flagsDigests.cpu)
})

test("what a buyer may set is not shown as overridden", () => {
  const names = strict.environment.map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(["LD_PRELOAD", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_VISIBLE_DEVICES"]),
  )
  expect(names).not.toContain("HOME")
})

test("the owner's rule for bench is shown, and that there is none", () => {
  const rules = { ...DEFAULT_RULES, bench: { maxTemperatureC: 83 } }
  expect(describePolicy(rules, "strict", GRACE_MS).rules.bench).toEqual({ maxTemperatureC: 83 })
  expect(strict.rules.bench).toEqual({ maxTemperatureC: null })
})

test("a loosening says what it costs", () => {
  expect(strict.profile.cost).toBeNull()
  for (const { name, cost } of strict.profiles) if (name !== "strict") expect(cost).toMatch(/\w+ \w+/)
})
