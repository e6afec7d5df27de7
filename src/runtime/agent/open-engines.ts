import type { Logger } from "pino"
import type { Disks } from "../container/disks.ts"
import type { Rules } from "../host/rules/rules.ts"
import { requireJail } from "../probe/require-jail.ts"
import { addressOf } from "../probe/targets.ts"
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

/** Lets a hostile container try the sandbox of each slot before any shard gets it, with that slot's card. @throws Fault `jail-broken`, `probe-*`, `engine-*`. */
export async function passJail(
  { chosen, slots, disks, rules, home, market, log }: JailGate,
  signal: AbortSignal,
): Promise<void> {
  const addresses = await addressOf(market)
  const placements = new Map(slots.map(({ berth: { placement } }) => [JSON.stringify(placement), placement]))
  for (const gpu of placements.values()) {
    const engine = gpu.device === "cpu" ? chosen.engine : (chosen.gpuEngine ?? chosen.engine)
    const options = { engine, gpu, disks, profile: rules.profile, addresses, home, full: false }
    const { report } = await testSandbox(options, signal)
    requireJail(report)
    const { runtime, device, policy, attempts } = report
    log.info({ runtime, device, policy, attempts: attempts.length }, "sandbox.held")
  }
}
