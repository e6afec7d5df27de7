import type { DetectedGpu } from "../../host/gpu.ts"
import type { Progress } from "../host/figure.ts"
import { type CardResult, resultOf } from "./card-result.ts"
import { Pace } from "./pace.ts"
import { forTogether, longestMs, type Plan } from "./plan.ts"
import { type Berth, berthFor, type Rig } from "./rig.ts"
import { runChild } from "./run-child.ts"
import type { Said, Task } from "./said.ts"

export interface CardWatch {
  signal: AbortSignal
  /** What a card's step is and how far it is; of the card that was given, or null for the software adapter. */
  onProgress?: ((card: DetectedGpu | null, progress: Progress) => void) | undefined
  /** Of a card that may have to be stopped while the others go on: aborts with the fault that says why. */
  stopOf?: ((card: DetectedGpu | null) => AbortSignal | undefined) | undefined
  /** After so many milliseconds without a word a card is taken for hung. */
  silenceMs?: number | undefined
}

/**
 * Measures one card with all others at rest, in a process of its own: whatever its driver does is a fault of this card and harms nothing else.
 * @throws the signal's reason, when nothing runs on the card any more.
 */
export async function measureAlone(
  rig: Rig,
  card: DetectedGpu,
  plan: Plan,
  watch: CardWatch,
): Promise<CardResult> {
  return measureIn(await berthFor(rig, card, plan, watch.signal), card, watch)
}

/** Measures the processor that plays a card, which is never one; `adapter` is null where there is none. @throws as {@link measureAlone}. */
export async function measureSoftware(plan: Plan, watch: CardWatch): Promise<CardResult> {
  return measureIn({ task: { wanted: { kind: "software" }, plan } }, null, watch)
}

/**
 * Has all cards take the same figures at the same time, which is when a power supply or a riser fails. A card that drops out does not hold up the
 * others. In the cards' order.
 * @throws as {@link measureAlone}.
 */
export async function measureTogether(
  rig: Rig,
  cards: readonly DetectedGpu[],
  plan: Plan,
  watch: CardWatch,
): Promise<CardResult[]> {
  const asked = forTogether(plan)
  const berths = await Promise.all(
    cards.map(async card => ({ card, berth: await berthFor(rig, card, asked, watch.signal) })),
  )
  return measurePaced(berths, watch)
}

/** As {@link measureTogether}, for tasks that are made already. */
export async function measurePaced(
  berths: readonly { card: DetectedGpu | null; berth: Berth }[],
  watch: CardWatch,
): Promise<CardResult[]> {
  const pace = new Pace(berths.length)
  const endings = await Promise.allSettled(
    berths.map(async ({ card, berth }, place) => {
      try {
        return await measureIn(berth, card, watch, (name, go) => pace.ready(place, name, go))
      } finally {
        pace.leave(place)
      }
    }),
  )
  // Only now does nothing run on any of them.
  return endings.map(ending => {
    if (ending.status === "rejected") throw ending.reason
    return ending.value
  })
}

async function measureIn(
  { task, wrap }: Berth,
  card: DetectedGpu | null,
  { signal, onProgress, stopOf, silenceMs }: CardWatch,
  onReady: (name: string, go: () => void) => void = (_name, go) => go(),
): Promise<CardResult> {
  const kept: Said[] = []
  const onSaid = (said: Said, go: () => void) => {
    if (said.type === "ready") onReady(said.name, go)
    else if (said.type === "progress") onProgress?.(card, progressOf(said))
    else kept.push(said)
  }
  const limitMs = limitOf(task)
  const ending = await runChild({ task, wrap, limitMs, silenceMs, stop: stopOf?.(card), onSaid }, signal)
  return resultOf(task.plan, kept, ending)
}

/** Cards that take their figures together wait for the slowest of them. */
function limitOf({ plan }: Task): number {
  return longestMs(plan) * (plan.isPaced ? 2 : 1)
}

function progressOf({ name, unit, done, of, latest }: Extract<Said, { type: "progress" }>): Progress {
  return { name, unit, done, of, latest }
}
