// A process of its own that measures one card and says what it finds, a line of JSON each; whatever a driver does ends with it. It reads its
// task as the first line of its standard input, and ends with the end of that, so that it outlives nobody.
import { closeSync, openSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { globals } from "webgpu"
import { unmeasured, type Watch } from "../host/figure.ts"
import { type FoundAdapter, listAdapters, openCard } from "./adapters.ts"
import { attribute, type Wanted } from "./attribution.ts"
import { type Card, Unavailable } from "./card.ts"
import { type Exercise, measure, tryOut, Wrong } from "./exercise.ts"
import { prepare } from "./figures.ts"
import { type FigureName, forSoftware, type Injection, type Plan } from "./plan.ts"
import { testRepeats } from "./repeat-test.ts"
import { GO, type Said, Task } from "./said.ts"
import { sustain } from "./sustain.ts"
import { testVram } from "./vram-test.ts"

const STDOUT = 1

/** Written at once and on a line of its own, whatever a driver has printed before: the next call may end the process. */
function say(said: Said): void {
  writeSync(STDOUT, `\n${JSON.stringify(said)}\n`)
}

const lines = createInterface({ input: process.stdin })
const goes = lines[Symbol.asyncIterator]()
lines.once("close", () => process.exit())

async function readTask(): Promise<Task> {
  const { value } = await goes.next()
  return Task.parse(JSON.parse(value ?? "null"))
}

/** Whether all these files are out of reach, tried as a driver would. */
function areSealed(files: readonly string[]): boolean {
  return files.every(file => {
    try {
      closeSync(openSync(file, "r+"))
      return false
    } catch {
      return true
    }
  })
}

function wantedOf({ wanted }: Task): Wanted {
  if (wanted.kind === "software") return wanted
  const { sealed } = wanted
  return { ...wanted, isAlone: sealed.length > 0 && areSealed(sealed) }
}

async function main(): Promise<void> {
  const task = await readTask()
  // The names that WebGPU's programs find in a browser.
  Object.assign(globalThis, globals)
  const found = attribute(await listAdapters(), wantedOf(task))
  if ("refusal" in found) say({ type: "refused", reason: found.refusal })
  else await measureCard(found.adapter, task.plan)
  say({ type: "done" })
}

async function measureCard(found: FoundAdapter, asked: Plan): Promise<void> {
  say({ type: "adapter", adapter: found.description, features: found.features })
  const plan = found.isSoftware ? forSoftware(asked) : asked
  const { injection } = plan
  const card = await openCard(found, injection?.what === "flip" ? injection.at : null)
  let isLeaving = false
  void card.device.lost.then(({ message }) => {
    if (isLeaving) return
    say({ type: "lost", reason: message })
    process.exit(1)
  })
  for (const name of plan.figures) await step(name, plan, () => takeFigure(card, name, plan))
  await testSoundness(card, plan)
  if (plan.sustainSeconds !== null) await step("sustain", plan, () => takeSustained(card, plan))
  isLeaving = true
  card.device.destroy()
}

/** A step that cannot be taken is told and holds up no other. */
async function step(name: string, { injection }: Plan, take: () => Promise<void>): Promise<void> {
  say({ type: "begun", name })
  if (injection?.at === name) inject(injection)
  try {
    await take()
  } catch (error) {
    if (error instanceof Wrong) say({ type: "wrong", name, what: error.message })
    else if (error instanceof Unavailable) {
      say({ type: "unmeasured", unmeasured: unmeasured(name, `This card does not do it: ${error.message}.`) })
    } else throw error
  }
}

function inject({ what }: Injection): void {
  while (what === "hang");
  if (what === "crash") process.kill(process.pid, "SIGSEGV")
}

/** Nothing here ends it but the process's end. */
const FOREVER = new AbortController().signal

const WATCH: Watch = {
  signal: FOREVER,
  onProgress: ({ name, unit, done, of, latest }) => say({ type: "progress", name, unit, done, of, latest }),
}

async function takeFigure(card: Card, name: FigureName, plan: Plan): Promise<void> {
  using exercise = await prepare(card, name, plan)
  if (plan.isPaced) {
    say({ type: "ready", name })
    for (;;) if ((await goes.next()).value === GO) break
  }
  const taking = measure(exercise, plan.budget, WATCH)
  const measurement = await (name === "matmul-subgroup-f16"
    ? taking.catch(error => doubt(error, exercise))
    : taking)
  say({ type: "measured", measurement })
}

/**
 * Matrix units are reached by an extension that is still an experiment: a result that is wrong in the same way again comes from the driver or
 * from Dawn, as a card's own errors do not repeat themselves.
 */
async function doubt(error: unknown, exercise: Exercise): Promise<never> {
  if (!(error instanceof Wrong)) throw error
  const again = await tryOut(exercise).then(
    () => null,
    (other: unknown) => other,
  )
  if (again instanceof Wrong && again.message === error.message) {
    throw new Unavailable(`the way to its matrix units is wrong every time (${error.message})`)
  }
  throw error
}

async function testSoundness(card: Card, plan: Plan): Promise<void> {
  const { vram, repeat } = plan
  const progress = (name: string) => (done: number) =>
    say({ type: "progress", name, unit: "B", done, of: done, latest: null })
  if (vram !== null) {
    await step("vram", plan, async () =>
      say({ type: "tested", soundness: await testVram(card, vram, progress("vram")) }),
    )
  }
  if (repeat !== null) {
    await step("repeat", plan, async () =>
      say({ type: "tested", soundness: await testRepeats(card, repeat, progress("repeat")) }),
    )
  }
}

async function takeSustained(card: Card, plan: Plan): Promise<void> {
  const spoil = card.spoil === "sustain" ? "matmul-fp32" : null
  using exercise = await prepare({ ...card, spoil }, "matmul-fp32", plan)
  await sustain(exercise, plan.sustainSeconds ?? 0, rate => say({ type: "rate", rate }), FOREVER)
}

await main()
process.exit()
