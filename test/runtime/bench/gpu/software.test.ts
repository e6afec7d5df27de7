import { fileURLToPath } from "node:url"
import { execa } from "execa"
import { expect, test } from "vitest"
import { cardTooHot, cardUnwatched } from "../../../../src/runtime/bench/gpu/card-faults.ts"
import { stateOf } from "../../../../src/runtime/bench/gpu/card-result.ts"
import {
  measureAlone,
  measurePaced,
  measureSoftware,
} from "../../../../src/runtime/bench/gpu/measure-cards.ts"
import { FigureName, type Injection, type Plan } from "../../../../src/runtime/bench/gpu/plan.ts"
import type { Progress } from "../../../../src/runtime/bench/host/figure.ts"
import { expectSound, namesOf } from "../host/sound.ts"
import { childrenRunning, gpu, NOTHING } from "./brief.ts"
import { needSoftwareAdapter } from "./software-adapter.ts"

const LIMIT_MS = 110_000
const watch = () => ({ signal: AbortSignal.timeout(LIMIT_MS) })

test("a software adapter is named as such; every figure is right, or its absence has a reason", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const told: Progress[] = []
  const plan = { ...NOTHING, figures: [...FigureName.options] }
  const onProgress = (_card: unknown, progress: Progress) => void told.push(progress)
  const result = await measureSoftware(plan, { ...watch(), onProgress })
  expect(result.adapter).toMatchObject({ isSoftware: true })
  expect(result.faults).toEqual([])
  expectSound(result.measurements)
  expect(namesOf(result.measurements)).toEqual(
    expect.arrayContaining([
      "matmul-fp32",
      "memory-copy",
      "memory-triad",
      "host-to-device",
      "device-to-host",
    ]),
  )
  expect(namesOf([...result.measurements, ...result.unmeasured]).toSorted()).toEqual(plan.figures.toSorted())
  expect(namesOf(told)).toEqual(expect.arrayContaining(namesOf(result.measurements)))
  // Two cores come to a billion operations in a second, and no processor to a hundred thousand billion.
  const [product] = result.measurements
  expect(product?.median).toBeGreaterThan(1e6)
  expect(product?.median).toBeLessThan(1e14)
  expect(stateOf(result)).toBe("sound")
})

test("memory and repeats are found sound, and a sustained run is told over time", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const plan: Plan = {
    ...NOTHING,
    vram: { limitBytes: 4 << 20, seconds: 0 },
    repeat: { seconds: 0 },
    sustainSeconds: 1,
  }
  const result = await measureSoftware(plan, watch())
  expect(result.faults).toEqual([])
  expect(result.soundness).toMatchObject([
    { test: "vram-patterns", checked: 4 << 20, errors: 0, range: null },
    { test: "repeated-kernel", checked: 3, errors: 0, range: null },
  ])
  expect(result.rates.length).toBeGreaterThan(0)
  for (const { perSecond } of result.rates) expect(perSecond).toBeGreaterThan(0)
})

const FIGURES = ["matmul-fp32", "memory-copy", "memory-triad", "host-to-device", "device-to-host"] as const

test.for(FIGURES)(
  "one wrong bit in a result of %s is found, and is no figure",
  {
    timeout: LIMIT_MS,
  },
  async (name, context) => {
    needSoftwareAdapter(context)
    const injection: Injection = { what: "flip", at: name }
    const result = await measureSoftware({ ...NOTHING, figures: [name], injection }, watch())
    expect(result.measurements).toEqual([])
    expect(result.faults).toMatchObject([{ code: "gpu-unsound", facts: { name } }])
    expect(result.unmeasured).toMatchObject([{ name, reason: expect.stringContaining("wrong") }])
    expect(stateOf(result)).toBe("degraded")
  },
)

const TESTS = [
  { at: "vram", found: { test: "vram-patterns", errors: 1, range: [2 << 20, (2 << 20) + 3] } },
  { at: "repeat-first", found: { test: "repeated-kernel", errors: 3, range: [0, 3] } },
  { at: "repeat", found: { test: "repeated-kernel", errors: 1, range: [16_380, 16_383] } },
] as const

test.for(TESTS)(
  "one wrong bit in $at is counted, with its place",
  {
    timeout: LIMIT_MS,
  },
  async ({ at, found }, context) => {
    needSoftwareAdapter(context)
    const plan = { ...NOTHING, vram: { limitBytes: 4 << 20, seconds: 0 }, repeat: { seconds: 0 } }
    const result = await measureSoftware({ ...plan, injection: { what: "flip", at } }, watch())
    expect(result.soundness).toContainEqual(expect.objectContaining(found))
    expect(result.soundness.filter(({ errors }) => errors > 0)).toHaveLength(1)
    expect(result.faults).toMatchObject([{ code: "gpu-unsound" }])
    expect(stateOf(result)).toBe("degraded")
  },
)

test("a wrong result in a sustained run is found", { timeout: LIMIT_MS }, async context => {
  needSoftwareAdapter(context)
  const plan: Plan = { ...NOTHING, sustainSeconds: 1, injection: { what: "flip", at: "sustain" } }
  const result = await measureSoftware(plan, watch())
  expect(result.faults).toMatchObject([{ code: "gpu-unsound", facts: { name: "sustain" } }])
})

test("a card that hangs is killed, told where, and leaves nothing behind", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const plan: Plan = { ...NOTHING, figures: ["memory-copy"], injection: { what: "hang", at: "memory-copy" } }
  const result = await measureSoftware(plan, { ...watch(), silenceMs: 8000 })
  expect(result.faults).toMatchObject([{ code: "gpu-silent", facts: { step: "memory-copy", isGone: true } }])
  expect(result.unmeasured).toMatchObject([
    { name: "memory-copy", reason: expect.stringContaining("at memory-copy") },
  ])
  expect(await childrenRunning("measure-card")).toEqual([])
})

test("a driver that breaks ends no more than its own process", { timeout: LIMIT_MS }, async context => {
  needSoftwareAdapter(context)
  const plan: Plan = {
    ...NOTHING,
    figures: ["memory-copy", "memory-triad"],
    injection: { what: "crash", at: "memory-triad" },
  }
  const result = await measureSoftware(plan, watch())
  expect(result.faults).toMatchObject([
    { code: "gpu-lost", message: expect.stringMatching(/memory-triad: SIGSEGV/) },
  ])
  expect(namesOf(result.measurements)).toEqual(["memory-copy"])
  expect(result.unmeasured).toMatchObject([{ name: "memory-triad" }])
  expect(stateOf(result)).toBe("unmeasured")
})

test("the signal ends a card's process at once, even one that hangs", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const stop = new AbortController()
  const plan: Plan = {
    ...NOTHING,
    figures: ["memory-copy", "memory-triad"],
    injection: { what: "hang", at: "memory-triad" },
  }
  const onProgress = () => stop.abort(new Error("stopped"))
  await expect(measureSoftware(plan, { signal: stop.signal, onProgress })).rejects.toThrow("stopped")
  expect(await childrenRunning("measure-card")).toEqual([])
  await expect(measureSoftware(plan, { signal: stop.signal })).rejects.toThrow("stopped")
})

const PACED: Plan["figures"] = ["memory-copy", "memory-triad", "host-to-device"]

/** A task that waits for the others before each figure. */
const paced = (injection: Injection | null) => ({
  task: {
    wanted: { kind: "software" as const },
    plan: { ...NOTHING, figures: PACED, injection, isPaced: true },
  },
})

test("several at once take each figure together, and one that breaks holds up no other", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const [whole, broken] = await measurePaced(
    [
      { card: null, berth: paced(null) },
      { card: null, berth: paced({ what: "crash", at: "memory-triad" }) },
    ],
    watch(),
  )
  expect(whole?.faults).toEqual([])
  expect(namesOf(whole?.measurements ?? [])).toEqual(PACED)
  expect(broken?.faults).toMatchObject([{ code: "gpu-lost" }])
})

test("a card that its owner's rule stops keeps its figures and its good name, and the others go on", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const [hot, cool] = [gpu({ index: 0 }), gpu({ index: 1 })]
  const heat = new AbortController()
  const stopOf = (card: unknown) => (card === hot ? heat.signal : undefined)
  const onProgress = (card: unknown, { name }: Progress) => {
    if (card === hot && name === "memory-triad") heat.abort(cardTooHot(90, 83))
  }
  const [stopped, whole] = await measurePaced(
    [
      // It would not get beyond its second figure, nor let the others, if nobody stopped it.
      { card: hot, berth: paced({ what: "hang", at: "host-to-device" }) },
      { card: cool, berth: paced(null) },
    ],
    { ...watch(), stopOf, onProgress },
  )
  expect(whole?.faults).toEqual([])
  expect(namesOf(whole?.measurements ?? [])).toEqual(PACED)
  expect(stopped?.measurements[0]).toMatchObject({ name: "memory-copy" })
  expect(stopped?.unmeasured.at(-1)).toMatchObject({
    name: "host-to-device",
    reason: expect.stringMatching(/90 °C.*It was stopped at (?:memory-triad|host-to-device)\./),
  })
  expect(stopped?.faults).toMatchObject([{ code: "gpu-too-hot" }])
  expect(stopped && stateOf(stopped)).toBe("sound")
  expect(await childrenRunning("measure-card")).toEqual([])
})

test("a card that may not be measured is not begun", async () => {
  const stopOf = () => AbortSignal.abort(cardUnwatched(20_000))
  const plan: Plan = { ...NOTHING, figures: ["memory-copy"], sustainSeconds: 1 }
  const result = await measureSoftware(plan, { ...watch(), stopOf })
  expect(result).toMatchObject({ adapter: null, measurements: [], faults: [{ code: "gpu-unwatched" }] })
  expect(namesOf(result.unmeasured)).toEqual(["memory-copy", "sustain"])
  for (const { reason } of result.unmeasured) expect(reason).toMatch(/no temperature.*not begun/)
  expect(stateOf(result)).toBe("unmeasured")
})

test("the signal ends all that are measured together, and none of them is left", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const stop = new AbortController()
  const copies = new Set<unknown>()
  const cards = [gpu({ index: 0 }), gpu({ index: 1 }), gpu({ index: 2 })]
  const onProgress = (card: unknown, { name }: Progress) => {
    if (name === "memory-copy") copies.add(card)
    if (copies.size === cards.length) stop.abort(new Error("stopped"))
  }
  const hanging = cards.map(card => ({ card, berth: paced({ what: "hang", at: "memory-triad" }) }))
  await expect(measurePaced(hanging, { signal: stop.signal, onProgress })).rejects.toThrow("stopped")
  expect(await childrenRunning("measure-card")).toEqual([])
})

test("what is thrown for one is thrown when nothing runs on the others any more", {
  timeout: LIMIT_MS,
}, async context => {
  needSoftwareAdapter(context)
  const broken = {
    ...paced(null),
    wrap: () => {
      throw new Error("a bug")
    },
  }
  const berths = [broken, paced(null)].map(berth => ({ card: null, berth }))
  await expect(measurePaced(berths, watch())).rejects.toThrow("a bug")
  expect(await childrenRunning("measure-card")).toEqual([])
})

test("a software adapter is never taken for a card", { timeout: LIMIT_MS }, async context => {
  needSoftwareAdapter(context)
  const card = gpu({ name: "NVIDIA GeForce RTX 3090", pciAddress: "0000:01:00.0" })
  const rig = { cards: [{ gpu: card, files: null }], isRoot: true }
  const result = await measureAlone(rig, card, { ...NOTHING, figures: ["memory-copy"] }, watch())
  expect(result).toMatchObject({ adapter: null, measurements: [], faults: [] })
  expect(result.unmeasured).toMatchObject([
    { name: "memory-copy", reason: expect.stringContaining("sees no card") },
  ])
  expect(stateOf(result)).toBe("unmeasured")
})

test("the process ends with whoever started it", { timeout: LIMIT_MS }, async context => {
  needSoftwareAdapter(context)
  const file = fileURLToPath(new URL("../../../../src/runtime/bench/gpu/measure-card.ts", import.meta.url))
  const plan: Plan = { ...NOTHING, figures: ["memory-copy"], isPaced: true }
  const child = execa(process.execPath, [file], { stdin: "pipe", buffer: false })
  child.stdin.write(`${JSON.stringify({ wanted: { kind: "software" }, plan })}\n`)
  const said: string[] = []
  for await (const line of child) {
    said.push(line)
    // It waits for a word that now nobody can give.
    if (line.includes('"ready"')) child.stdin.end()
  }
  expect((await child).exitCode).toBe(0)
  expect(said.join("\n")).not.toContain('"measured"')
})
