import type { Logger } from "pino"
import { type Fault, isFault } from "../../protocol/fault.ts"
import type { Disks } from "../container/disks.ts"
import type { GpuPlacement } from "../container/sandbox.ts"
import type { Rules } from "../host/rules/rules.ts"
import { requireJail } from "../probe/require-jail.ts"
import { type Address, addressOf } from "../probe/targets.ts"
import { testSandbox } from "../probe/test-sandbox.ts"
import { type ChosenEngine, chooseEngine, type EngineWish } from "./choose-engine.ts"
import type { Home } from "./home.ts"
import type { ServedSlot } from "./slots.ts"

/** Chooses the engine, and says which ways were not taken. Throws as `chooseEngine`. */
export async function openEngines(wish: EngineWish, log: Logger): Promise<ChosenEngine> {
  const chosen = await chooseEngine(wish)
  for (const way of chosen.passedOver) log.info({ ...way }, "engine.passed-over")
  return chosen
}

export interface JailGate {
  chosen: ChosenEngine
  /** What shards are given, each tried once. */
  slots: readonly ServedSlot[]
  disks: Disks
  rules: Rules
  home: Home
  /** The marketplace's address, which no shard may reach. */
  market: string
  log: Logger
}

/**
 * Lets a hostile container try the sandbox of each slot before any shard gets it, with that slot's card. Returns the slots in which it was
 * held; a card that the engine gives to no container takes its slot with it, and none of the others.
 * @throws Fault `jail-broken`, `probe-*`, `engine-*`; `container-not-created` when no slot is left.
 */
export async function passJail(gate: JailGate, signal: AbortSignal): Promise<ServedSlot[]> {
  const { slots, market, log } = gate
  const addresses = await addressOf(market)
  const tried = new Map<string, Fault | null>()
  for (const { slot, berth } of slots) {
    const name = JSON.stringify(berth.placement)
    if (tried.has(name)) continue
    const refusal = await refusalOf(berth.placement, addresses, gate, signal)
    tried.set(name, refusal)
    if (refusal !== null) {
      const { message: reason, hint } = refusal
      log.warn({ slot: slot.id, reason, hint }, "slot.passed-over")
    }
  }
  const held = slots.filter(({ berth }) => tried.get(JSON.stringify(berth.placement)) === null)
  const [refusal] = [...tried.values()].filter(fault => fault !== null)
  if (held.length === 0 && refusal !== undefined) throw refusal
  return held
}

/** Why the engine makes no container with this card; null when it did, and held it. */
async function refusalOf(
  gpu: GpuPlacement,
  addresses: readonly Address[],
  { chosen, disks, rules, home, log }: JailGate,
  signal: AbortSignal,
): Promise<Fault | null> {
  const engine = gpu.device === "cpu" ? chosen.engine : (chosen.gpuEngine ?? chosen.engine)
  const options = { engine, gpu, disks, profile: rules.profile, addresses, home, full: false }
  try {
    const { report } = await testSandbox(options, signal)
    requireJail(report)
    const { runtime, device, policy, attempts } = report
    log.info({ runtime, device, policy, attempts: attempts.length }, "sandbox.held")
    return null
  } catch (error) {
    if (gpu.device !== "cpu" && isFault(error, "container-not-created")) return error
    throw error
  }
}
