import { Fault, isFault } from "../../protocol/fault.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import { ROOM_LIMIT_MS, untilRoom as waitForRoom } from "./patience.ts"
import {
  type Abandoned,
  type Committed,
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
  settle(shard: Proved, signal: AbortSignal): Promise<Settled | Committed>
  reveal(shard: Committed, signal: AbortSignal): Promise<Settled>
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
 *
 * A record waits for room on the disk, and so does work that is done: it is never thrown away for want of room.
 * @param roomLimitMs how long one wait for room may take, in milliseconds.
 * @throws Fault `disk-full` when a record, or a step after the container's end, found no room for so long; the journal keeps the state.
 */
export async function walk(
  from: OpenState,
  steps: Steps,
  record: Record,
  signal: AbortSignal,
  roomLimitMs: number = ROOM_LIMIT_MS,
): Promise<EndState> {
  const untilRoom: Room = work => waitForRoom(work, signal, roomLimitMs)
  // A walk that is to end waits no longer: what to do about its end depends on the state, so one last try is made to record that.
  const keep = (state: ShardState) =>
    untilRoom(() => record(state)).catch(error => {
      if (!signal.aborted) throw error
      return record(state)
    })
  await keep(from)
  let state: ShardState = from
  while (isOpen(state)) {
    const next: ShardState = await advance(state, steps, untilRoom, signal)
    if (!isOpen(next)) await steps.clean(state)
    await keep(next)
    state = next
  }
  return state
}

/** Does work again until there is room on the disk for it. */
type Room = <T>(work: () => Promise<T>) => Promise<T>

/** The reason to abort a walk with when the marketplace takes the lease back. */
export function cancelled(reason: string): Fault {
  return new Fault("shard-cancelled", `The marketplace took the lease back: ${reason}.`, {
    hint: "Nothing to do: other shards are offered as they come.",
    facts: { reason },
  })
}

async function advance(
  state: OpenState,
  steps: Steps,
  untilRoom: Room,
  signal: AbortSignal,
): Promise<ShardState> {
  try {
    signal.throwIfAborted()
    return await (isDone(state) ? untilRoom(() => step(state, steps, signal)) : step(state, steps, signal))
  } catch (error) {
    const why = signal.aborted ? signal.reason : asDiskFull(error, "the state folder")
    if (isFault(why) && !(isFault(why, "disk-full") && isDone(state))) return abandon(state, why)
    if (signal.aborted) await steps.halt(state)
    throw why
  }
}

/** What is left then costs nobody any work, and is worth its pay. */
function isDone({ step }: OpenState): boolean {
  return step === "ran" || step === "proved" || step === "committed"
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
    case "committed":
      return steps.reveal(state, signal)
    default:
      return state satisfies never
  }
}

function abandon({ step: from, assignment, berth }: OpenState, { code, message }: Fault): Abandoned {
  return { step: "abandoned", assignment, berth, from, code, message }
}
