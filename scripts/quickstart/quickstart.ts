// The whole thing on one machine: a marketplace, two agents that serve, and a buyer whose model they train.
import { mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { execa } from "execa"
import { prepareEngine } from "../setup/engine.ts"
import { prepareImages } from "../setup/images.ts"
import { step } from "../setup/step.ts"
import { tellFaults } from "../setup/tell.ts"
import { type Network, startNetwork } from "./network.ts"
import { stop } from "./programs.ts"
import { report } from "./report.ts"
import { train } from "./train.ts"

const JOB = "examples/king-james.yaml"

async function quickstart(root: string, signal: AbortSignal): Promise<void> {
  await step("Building zg-agent", () => execa("npm", ["run", "--silent", "build"], { cancelSignal: signal }))
  await prepareEngine()
  await prepareImages()
  signal.throwIfAborted()
  await mkdir(root, { recursive: true, mode: 0o700 })
  const network: Network = { programs: [], agents: [], buyer: join(root, "buyer") }
  try {
    await startNetwork(network, root, signal)
    const job = await train(network, JOB, signal)
    await report(network, job, join(root, "trained"), signal)
  } finally {
    await Promise.all(network.programs.map(stop))
  }
}

const stopping = new AbortController()
// A terminal that closes takes stdout away before the containers are stopped.
process.stdout.on("error", () => {})
for (const [name, exitCode] of [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(name, () => {
    process.exitCode = exitCode
    process.stderr.write("\nStopping: the agents end their containers …\n")
    stopping.abort()
  })
}

await tellFaults(async () => {
  try {
    await quickstart(resolve(process.env.ZG_HOME ?? ".quickstart"), stopping.signal)
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  }
})
