import { BaseCommand } from "../cli/base-command.ts"
import { counted } from "../cli/counted.ts"
import { formatCredits } from "../protocol/credits.ts"
import { type AgentReport, reportAgent } from "../runtime/agent/report.ts"

export default class Status extends BaseCommand {
  static override summary = "Show what this agent does and what it has earned."
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --json"]

  async run(): Promise<AgentReport> {
    const { flags } = await this.parse(Status)
    const report = await reportAgent(this.openHome(flags))
    const { name, agent, market, serving, settled, abandoned, earned, lately } = report
    this.log(`${name} (${agent.slice(0, 16)}) at ${market}`)
    this.log(
      `  earned  ${formatCredits(earned)} credits with ${counted(settled, "shard")}; ${abandoned} abandoned`,
    )
    this.log(
      `  serving ${serving === null ? "no: start it with `zg-agent serve --cpu-slots 1`" : serving.connected ? `yes, as process ${serving.pid}` : `yes, as process ${serving.pid}, but not connected`}`,
    )
    for (const { id, shard } of serving?.slots ?? []) {
      const { step, steps } = shard?.progress ?? { step: 0, steps: 0 }
      const progress = steps > 0 ? ` ${step}/${steps}` : ""
      this.log(`  ${id}   ${shard ? `${shard.label} of ${shard.job}: ${shard.at}${progress}` : "free"}`)
    }
    for (const { at, job, label, message } of lately)
      this.log(`  given up ${at.slice(0, 19)}Z ${label} of ${job}: ${message}`)
    return report
  }
}
