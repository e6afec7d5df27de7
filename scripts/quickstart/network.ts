import { join } from "node:path"
import { Fault } from "../../src/protocol/fault.ts"
import { askControl } from "../../src/runtime/agent/control.ts"
import { openHome } from "../../src/runtime/agent/home.ts"
import type { AgentStatus } from "../../src/runtime/agent/status.ts"
import { step } from "../setup/step.ts"
import { freePort, type Program, start, untilHealthy, zgAgent } from "./programs.ts"
import type { Earner } from "./screen.ts"

const FIRST_PORT = 7464
const AGENTS = ["agent-1", "agent-2"]

/** An agent of this demonstration, with a home of its own. */
export interface Agent extends Earner {
  home: string
  /** Micro-credits from earlier runs. */
  earnedBefore: number
}

export interface Network {
  /** What runs, to be stopped at the end; filled as it is started. */
  programs: Program[]
  agents: Agent[]
  /** The buyer's home. */
  buyer: string
}

/** Starts a marketplace, registers a buyer and two agents, and lets the agents serve with one CPU slot each. */
export async function startNetwork(network: Network, root: string, signal: AbortSignal): Promise<void> {
  await refuseOrphans(root)
  const url = await step("Marketplace", async () => {
    const port = await freePort(FIRST_PORT)
    const address = `ws://127.0.0.1:${port}`
    network.programs.push(
      start("marketplace", join(root, "market"), ["market", "start", "--port", `${port}`]),
    )
    await untilHealthy(address, signal)
    return address
  })
  await step("Registering two agents and a buyer", async () => {
    await enrol(network.buyer, url, "buyer", signal)
    for (const name of AGENTS) {
      const home = join(root, name)
      const { agent } = await enrol(home, url, name, signal)
      const { earned } = await zgAgent<{ earned: number }>(home, ["status"], signal)
      network.agents.push({ name, home, keyId: agent, earned: 0, earnedBefore: earned })
    }
  })
  for (const { name, home } of network.agents) {
    network.programs.push(
      start(name, home, ["serve", "--engine=docker", "--gpus=none", "--cpu-slots=1", "--cpus=1"]),
    )
  }
}

/** Agents of an earlier run that was killed would go on beside the new ones. */
async function refuseOrphans(root: string): Promise<void> {
  for (const name of AGENTS) {
    const status = (await askControl(openHome(join(root, name)))) as AgentStatus | null
    if (status === null) continue
    throw new Fault(
      "already-serving",
      `${name} of an earlier quickstart still serves, as process ${status.pid}.`,
      {
        hint: "End what it left with `pkill -f 'bin/run.js (serve|market)'`, then try again.",
      },
    )
  }
}

function enrol(home: string, url: string, name: string, signal: AbortSignal): Promise<{ agent: string }> {
  return zgAgent(home, ["register", "--market", url, "--name", name], signal)
}
