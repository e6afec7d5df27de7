import { Fault, isFault } from "../../protocol/fault.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import {
  type Abandoned,
  type EndState,
  isOpen,
  type Leased,
  type OpenState,
  type Prepared,
  type Proved,
  type Ran,
  type Running,
  type Settled,
  type ShardState,
} from "./state.ts"

/** The arrows of the road; each takes the state before it, and each can be done twice. */
export interface Steps {
  prepare(shard: Leased, signal: AbortSignal): Promise<Prepared>
  run(shard: Prepared, signal: AbortSignal): Promise<Running>
  wait(shard: Running, signal: AbortSignal): Promise<Ran | Prepared>
  prove(shard: Ran, signal: AbortSignal): Promise<Proved>
  settle(shard: Proved, signal: AbortSignal): Promise<Settled>
  /** Ends what runs, and keeps what is needed to go on. */
  halt(shard: OpenState): Promise<void>
  /** Removes all that a shard leaves behind. */
  clean(shard: OpenState): Promise<void>
}

/** Makes a state durable. */
export type Record = (state: ShardState) => Promise<void>

/**
 * Walks a shard from wherever it is to its end, for the first run and for recovery alike: a state is recorded before the next effect
 * begins. A fault in a step abandons the shard; so does a signal aborted with the fault `cancelled`. Any other abort is a shutdown: the
 * container is stopped, the journal keeps the state, and the signal's reason is thrown.
 */
export async function walk(
  from: OpenState,
  steps: Steps,
  record: Record,
  signal: AbortSignal,
): Promise<EndState> {
  await record(from)
  let state: ShardState = from
  while (isOpen(state)) {
    const next: ShardState = await advance(state, steps, signal)
    if (!isOpen(next)) await steps.clean(state)
    await record(next)
    state = next
  }
  return state
}

/** The reason to abort a walk with when the marketplace takes the lease back. */
export function cancelled(reason: string): Fault {
  return new Fault("shard-cancelled", `The marketplace took the lease back: ${reason}.`, {
    hint: "Nothing to do: other shards are offered as they come.",
    facts: { reason },
  })
}

async function advance(state: OpenState, steps: Steps, signal: AbortSignal): Promise<ShardState> {
  try {
    signal.throwIfAborted()
    return await step(state, steps, signal)
  } catch (error) {
    const why = signal.aborted ? signal.reason : asDiskFull(error, "the state folder")
    if (isFault(why)) return abandon(state, why)
    if (signal.aborted) await steps.halt(state)
    throw why
  }
}

function step(state: OpenState, steps: Steps, signal: AbortSignal): Promise<ShardState> {
  switch (state.step) {
    case "leased":
      return steps.prepare(state, signal)
    case "prepared":
      return steps.run(state, signal)
    case "running":
      return steps.wait(state, signal)
    case "ran":
      return steps.prove(state, signal)
    case "proved":
      return steps.settle(state, signal)
    default:
      return state satisfies never
  }
}

function abandon({ step: from, assignment, berth }: OpenState, { code, message }: Fault): Abandoned {
  return { step: "abandoned", assignment, berth, from, code, message }
}
