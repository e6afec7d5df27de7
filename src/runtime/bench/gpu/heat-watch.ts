import type { Telemetry } from "../../host/telemetry/telemetry.ts"
import { cardTooHot, cardUnwatched } from "./card-faults.ts"

/** For so long a card may tell no temperature: telemetry gives a driver 20 s to wake cards up, and starts its sampler anew when that fell silent. */
const BLIND_LIMIT_MS = 20_000

export interface HeatRule {
  telemetry: Pick<Telemetry, "listen">
  /** The card's; null where telemetry cannot tell which it is. */
  identity: string | null
  /** The owner's limit, in degrees Celsius. */
  mostC: number
  blindMs?: number
}

/** Keeps the owner's limit on a card's heat while it is measured. */
export interface HeatWatch extends Disposable {
  /** Aborts with the fault for which the card has to be stopped: `gpu-too-hot`, or `gpu-unwatched` where nobody knows how hot it is. */
  readonly stop: AbortSignal
  /** Waits until it tells its temperature, or has to be stopped. @throws the signal's reason. */
  begin(signal: AbortSignal): Promise<void>
}

export function watchHeat({ telemetry, identity, mostC, blindMs = BLIND_LIMIT_MS }: HeatRule): HeatWatch {
  const stop = new AbortController()
  const begun = Promise.withResolvers<void>()
  const end = (why: unknown) => {
    stop.abort(why)
    begun.resolve()
  }
  const wait = () => setTimeout(() => end(cardUnwatched(blindMs)), blindMs)
  let blind = wait()
  const listening = telemetry.listen(identity ?? "", ({ temperatureC }) => {
    if (temperatureC === null) return
    clearTimeout(blind)
    blind = wait()
    if (temperatureC > mostC) end(cardTooHot(temperatureC, mostC))
    else begun.resolve()
  })
  return {
    stop: stop.signal,
    begin: signal => unlessAborted(begun.promise, signal),
    [Symbol.dispose]() {
      listening[Symbol.dispose]()
      clearTimeout(blind)
    },
  }
}

async function unlessAborted(wanted: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener("abort", abort, { once: true })
  try {
    await Promise.race([wanted, aborted.promise])
  } finally {
    signal.removeEventListener("abort", abort)
  }
}
