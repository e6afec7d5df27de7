import { Fault } from "../../src/protocol/fault.ts"
import { JobStatus } from "../../src/protocol/job.ts"
import { askControl } from "../../src/runtime/agent/control.ts"
import { openHome } from "../../src/runtime/agent/home.ts"
import type { AgentStatus } from "../../src/runtime/agent/status.ts"
import { step } from "../setup/step.ts"
import type { Network } from "./network.ts"
import { endedEarly, follow, zgAgent } from "./programs.ts"
import { openScreen } from "./screen.ts"

/** Submits the job, or goes on with one that was interrupted, and shows it until it is done. @throws Fault `job-failed`, `not-serving`. */
export async function train(network: Network, file: string, signal: AbortSignal): Promise<JobStatus> {
  const job = (await unfinished(network, signal)) ?? (await submit(network, file, signal))
  const shown = show(network, job, signal)
  return Promise.race([shown, ...network.programs.map(endedEarly)])
}

async function unfinished({ buyer }: Network, signal: AbortSignal): Promise<string | undefined> {
  const { jobs } = await zgAgent<{ jobs: JobStatus[] }>(buyer, ["job", "list"], signal)
  const job = jobs.find(({ state }) => state === "waiting" || state === "running")
  if (job) process.stdout.write(`Going on with ${job.id}, which was interrupted.\n`)
  return job?.id
}

async function submit({ buyer }: Network, file: string, signal: AbortSignal): Promise<string> {
  return step("Submitting the job (text and image go to the marketplace)", async () => {
    const { job } = await zgAgent<{ job: string }>(buyer, ["job", "submit", file], signal)
    return job
  })
}

async function show(network: Network, job: string, signal: AbortSignal): Promise<JobStatus> {
  const screen = openScreen()
  const earning = setInterval(() => void refreshEarnings(network), 1000)
  let last: JobStatus | null = null
  try {
    for await (const status of follow(network.buyer, ["job", "status", job, "--follow"], signal)) {
      const parsed = JobStatus.safeParse(status)
      // The last line may be the fault that the job ended with; its reason is in the status before it.
      if (!parsed.success) break
      last = parsed.data
      screen.show(last, network.agents)
    }
  } finally {
    clearInterval(earning)
    screen.close()
  }
  signal.throwIfAborted()
  if (last?.state === "done") return last
  throw new Fault(
    "job-failed",
    `The job ended as ${last?.state ?? "unknown"}: ${last?.reason ?? "no reason given"}`,
    {
      hint: "The logs beside the agents' homes say more.",
    },
  )
}

/** What the agents have earned since they were started. */
async function refreshEarnings({ agents }: Network): Promise<void> {
  for (const agent of agents) {
    const status = await askControl(openHome(agent.home)).catch(() => null)
    if (status) agent.earned = (status as AgentStatus).earned - agent.earnedBefore
  }
}
