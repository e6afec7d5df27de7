import { isFault } from "../../../protocol/fault.ts"
import { Interrupted, type Registry } from "../../blob/registry.ts"
import type { Wire } from "../../market/wire.ts"
import { type Budget, type Figures, repeated, together, unmeasured, type Watch } from "./figure.ts"
import { type LineBudget, measureLine } from "./line.ts"
import { Discarded, fetchNoise } from "./market-line.ts"

export interface NetworkOptions {
  /** The wire of a visit. */
  session: Pick<Wire, "roundTrip">
  /** The marketplace's registry endpoint, at the session's host and port and with its token. */
  registry: Registry
}

export interface NetworkBudget {
  latency: Budget
  line: LineBudget
}

/**
 * The way to the marketplace, through what the agent would use anyway.
 *
 * `market-round-trip`: a ping and its answer over the session's own socket. `market-up`: pieces of an upload that is cancelled at the end,
 * each until the marketplace has it on its disk. `market-down`: pieces of noise from its `/speed`. Time and bytes are bounded, and what is
 * sent cannot be packed.
 * @throws Fault `market-lost` when the session is over; the signal's reason. What the other end refuses is told as unmeasured.
 */
export async function measureNetwork(
  options: NetworkOptions,
  budget: NetworkBudget,
  watch: Watch,
): Promise<Figures> {
  const { registry } = options
  return together([
    await had("market-round-trip", () => measureRoundTrip(options, budget.latency, watch), watch),
    await had("market-up", () => measureUp(registry, budget.line, watch), watch),
    await had("market-down", () => measureDown(registry, budget.line, watch), watch),
  ])
}

async function measureRoundTrip({ session }: NetworkOptions, budget: Budget, watch: Watch): Promise<Figures> {
  const once = () => session.roundTrip(watch.signal)
  const measurement = await repeated({ name: "market-round-trip", unit: "s" }, budget, once, watch)
  return { measurements: [measurement], unmeasured: [] }
}

async function measureUp(registry: Registry, budget: LineBudget, watch: Watch): Promise<Figures> {
  await using upload = await Discarded.begin(registry, watch.signal)
  const send = (bytes: number, from: number, signal: AbortSignal) => upload.send(bytes, from, signal)
  return await measureLine("market-up", budget, send, watch)
}

async function measureDown(registry: Registry, budget: LineBudget, watch: Watch): Promise<Figures> {
  const fetchPiece = (bytes: number, _from: number, signal: AbortSignal) =>
    fetchNoise(registry, bytes, signal)
  return measureLine("market-down", budget, fetchPiece, watch)
}

/** What the other end refuses, or a connection that breaks, costs this figure alone. */
async function had(name: string, measure: () => Promise<Figures>, { signal }: Watch): Promise<Figures> {
  try {
    return await measure()
  } catch (error) {
    signal.throwIfAborted()
    if (isFault(error, "market-lost")) throw error
    if (isFault(error) || error instanceof Interrupted || isFetchFailure(error))
      return lacking(name, `The marketplace did not take part: ${(error as Error).message}`)
    throw error
  }
}

/** `fetch` throws the first for every connection that fails, and the second for one that breaks off in the middle of an answer. */
function isFetchFailure(error: unknown): boolean {
  return error instanceof TypeError && ["fetch failed", "terminated"].includes(error.message)
}

function lacking(name: string, reason: string): Figures {
  return { measurements: [], unmeasured: [unmeasured(name, reason)] }
}
