import { agentReport } from "../cli/agent-report.ts"
import { BaseCommand } from "../cli/base-command.ts"
import { type AgentReport, reportAgent } from "../runtime/agent/report.ts"

export default class Status extends BaseCommand {
  static override summary = "Show what this agent does and what it has earned."
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --json"]

  async run(): Promise<AgentReport> {
    const { flags } = await this.parse(Status)
    const report = await reportAgent(this.openHome(flags))
    this.log(agentReport(report))
    return report
  }
}
