import type { Adapter, Soundness } from "../../../protocol/capacity-report.ts"
import { type Fault, isFault } from "../../../protocol/fault.ts"
import type { Unmeasured } from "../../../protocol/measurement.ts"
import { type Figures, unmeasured } from "../host/figure.ts"
import { cardLost, cardSilent, cardUnsound } from "./card-faults.ts"
import type { Plan } from "./plan.ts"
import type { Ending } from "./run-child.ts"
import type { Said } from "./said.ts"
import type { Rate } from "./sustain.ts"

/** What is known of a card after it was measured, however that ended. */
export interface CardResult extends Figures {
  /** Null where no adapter is certainly this card. */
  adapter: Adapter | null
  /** What WebGPU can do on it, by WebGPU's names. */
  features: string[]
  soundness: Soundness[]
  /** What a sustained run came to, second by second. */
  rates: Rate[]
  /** Wrong results, a driver that hung or broke: each says what to do. */
  faults: Fault[]
}

/** Whether the owner's rule ended it before its time. */
export function wasStopped({ faults }: Pick<CardResult, "faults">): boolean {
  return faults.some(isStop)
}

/** It says nothing of the card: what was measured before counts. */
function isStop(fault: Fault): boolean {
  return isFault(fault, "gpu-too-hot", "gpu-unwatched")
}

/** `degraded`: it computes or remembers wrongly, or does not answer. `unmeasured`: nothing certain is known of it. */
export function stateOf({
  measurements,
  soundness,
  faults,
}: Pick<CardResult, "measurements" | "soundness" | "faults">): "sound" | "degraded" | "unmeasured" {
  if (soundness.some(({ errors }) => errors > 0)) return "degraded"
  const own = faults.filter(fault => !isStop(fault))
  // A process that broke may have done so for a fault in the driver's compiler; the other faults are the card's own.
  if (own.some(({ code }) => code !== "gpu-lost")) return "degraded"
  return own.length === 0 && measurements.length + soundness.length > 0 ? "sound" : "unmeasured"
}

/** Sums up what a child said and how it ended. What was wanted and is missing has its reason. */
export function resultOf(plan: Plan, said: readonly Said[], ending: Ending): CardResult {
  const of = <Type extends Said["type"]>(type: Type) =>
    said.filter((one): one is Extract<Said, { type: Type }> => one.type === type)
  const step = of("begun").at(-1)?.name ?? null
  const [seen] = of("adapter")
  const wrong = of("wrong")
  const soundness = of("tested").map(one => one.soundness)
  const measurements = of("measured").map(({ measurement }) => measurement)
  const told = of("unmeasured").map(one => one.unmeasured)
  const reasons = new Map(wrong.map(({ name, what }) => [name, `The result was wrong: ${what}.`]))
  const otherwise = of("refused").at(0)?.reason ?? reasonOf(ending, step)
  const known = new Set([...measurements, ...told].map(({ name }) => name))
  return {
    adapter: seen?.adapter ?? null,
    features: seen?.features ?? [],
    measurements,
    unmeasured: [
      ...told,
      ...missing(plan, known, soundness, of("rate").length).map(name =>
        unmeasured(name, reasons.get(name) ?? otherwise),
      ),
    ],
    soundness,
    rates: of("rate").map(({ rate }) => rate),
    faults: [
      ...wrong.map(({ name, what }) => cardUnsound(name, what)),
      ...soundness.filter(({ errors }) => errors > 0).map(unsoundTest),
      ...broken(ending, step, of("lost").at(0)?.reason ?? null),
    ],
  }
}

/** The names of what was wanted and not found out. */
function missing(
  { figures, vram, repeat, sustainSeconds }: Plan,
  known: ReadonlySet<string>,
  soundness: readonly Soundness[],
  rates: number,
): Unmeasured["name"][] {
  const isTested = (test: Soundness["test"]) => soundness.some(one => one.test === test)
  const tests = [
    vram !== null && !isTested("vram-patterns") ? "vram" : null,
    repeat !== null && !isTested("repeated-kernel") ? "repeat" : null,
    sustainSeconds !== null && rates === 0 ? "sustain" : null,
  ]
  return [...figures, ...tests.filter(name => name !== null)].filter(name => !known.has(name))
}

function unsoundTest({ test, errors, range, checked }: Soundness): Fault {
  const where = range === null ? "" : `, between bytes ${range[0]} and ${range[1]}`
  const of = test === "vram-patterns" ? `of ${checked} bytes` : `in ${checked} results`
  return cardUnsound(test, `${errors} words are wrong ${of}${where}`)
}

function broken(ending: Ending, step: string | null, lost: string | null): Fault[] {
  if (ending.kind === "done") return []
  const reason = reasonOf(ending, step)
  if (ending.kind === "stopped") {
    const held = cardSilent("The process that measured the card does not end.", step, false)
    return ending.isGone ? [ending.why] : [ending.why, held]
  }
  if (ending.kind === "crashed") return [cardLost(reason, lost ?? ending.said)]
  return [cardSilent(reason, step, ending.isGone)]
}

function reasonOf(ending: Ending, step: string | null): string {
  const where = step === null ? "at its start" : `at ${step}`
  switch (ending.kind) {
    case "done":
      return "It was not taken."
    case "crashed":
      return `The process that measures the card ended ${where}: ${ending.how}.`
    case "silent":
      return `The card did not answer for ${ending.limitMs / 1000} s ${where}.`
    case "stopped":
      return `${ending.why.message} It was ${step === null ? "not begun" : `stopped at ${step}`}.`
    case "late":
      return `Measuring the card took more than ${ending.limitMs / 1000} s, and was stopped ${where}.`
    default:
      return ending satisfies never
  }
}
