import ora from "ora"
import { jobNews } from "../../src/cli/job-news.ts"
import { formatCredits } from "../../src/protocol/credits.ts"
import type { JobStatus, ShardStatus } from "../../src/protocol/job.ts"

const BAR = 24

export interface Earner {
  name: string
  keyId: string
  earned: number
}

/** Shows a job while it runs: a live panel on a terminal, a line per event elsewhere. */
export function openScreen(interactive = process.stdout.isTTY ?? false) {
  const spinner = ora({ stream: process.stdout, isEnabled: interactive, discardStdin: false })
  let before: JobStatus | null = null
  return {
    show(job: JobStatus, earners: Earner[]): void {
      if (interactive) spinner.start(panel(job, earners))
      else for (const line of jobNews(before, job)) process.stdout.write(`  ${line}\n`)
      before = job
    },
    close(): void {
      spinner.stop()
    },
  }
}

function panel(job: JobStatus, earners: Earner[]): string {
  const settled = job.shards.filter(({ state }) => state === "settled").length
  const loss = job.losses.at(-1)
  return [
    `${job.name}: ${bar(settled / job.shardsTotal)} ${settled} of ${job.shardsTotal} shards settled`,
    `  held-out loss  ${loss ? `${loss.loss.toFixed(4)} nats/byte (${loss.label})` : "not measured yet"}`,
    ...job.shards.filter(({ state }) => state === "leased").map(shard => `  ${running(shard, earners)}`),
    `  earned         ${earners.map(({ name, earned }) => `${name} ${formatCredits(earned)}`).join("   ")}`,
  ].join("\n")
}

function running({ label, agent, step, steps, loss }: ShardStatus, earners: Earner[]): string {
  const who = earners.find(({ keyId }) => keyId === agent)?.name ?? agent?.slice(0, 8) ?? ""
  const progress = steps > 0 ? `${bar(step / steps)} step ${step}/${steps}` : "starting"
  return `${who.padEnd(8)} ${label.padEnd(18)} ${progress}${loss === null ? "" : `  loss ${loss.toFixed(3)}`}`
}

function bar(share: number): string {
  const filled = Math.round(Math.min(1, share) * BAR)
  return "█".repeat(filled) + "░".repeat(BAR - filled)
}

/** The losses as bars from zero, a line each; the untrained model's would dwarf the others and is cut. */
export function lossPlot(losses: JobStatus["losses"], width = 56): string {
  const longest = Math.max(...losses.slice(1).map(({ loss }) => loss))
  return losses
    .map(({ label, loss }) => {
      const length = Math.max(1, Math.round((loss / longest) * width))
      const bar = length > width ? `${"█".repeat(width)}▶` : "█".repeat(length)
      return `  ${label.padEnd(10)} ${loss.toFixed(4)} ${bar}`
    })
    .join("\n")
}
