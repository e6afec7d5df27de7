import type { Logger } from "pino"
import type { Disks } from "../container/disks.ts"
import type { Rules } from "../host/rules/rules.ts"
import { requireJail } from "../probe/require-jail.ts"
import { addressOf } from "../probe/targets.ts"
import { testSandbox } from "../probe/test-sandbox.ts"
import { type ChosenEngine, chooseEngine, type EngineWish } from "./choose-engine.ts"
import type { Home } from "./home.ts"

/** Chooses the engine, and says which ways were not taken. Throws as `chooseEngine`. */
export async function openEngines(wish: EngineWish, log: Logger): Promise<ChosenEngine> {
  const chosen = await chooseEngine(wish)
  for (const way of chosen.passedOver) log.info({ ...way }, "engine.passed-over")
  return chosen
}

export interface JailGate {
  chosen: ChosenEngine
  disks: Disks
  rules: Rules
  home: Home
  /** The marketplace's address, which no shard may reach. */
  market: string
  log: Logger
}

/** Lets a hostile container try the sandbox of each engine before any shard gets it. @throws Fault `jail-broken`, `probe-*`, `engine-*`. */
export async function passJail(
  { chosen, disks, rules, home, market, log }: JailGate,
  signal: AbortSignal,
): Promise<void> {
  const engines = new Set([chosen.engine, chosen.gpuEngine ?? chosen.engine])
  const addresses = await addressOf(market)
  for (const engine of engines) {
    const options = { engine, disks, profile: rules.profile, addresses, home, full: false }
    const { report } = await testSandbox(options, signal)
    requireJail(report)
    const { runtime, policy, attempts } = report
    log.info({ runtime, policy, attempts: attempts.length }, "sandbox.held")
  }
}
