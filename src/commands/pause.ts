import { BaseCommand } from "../cli/base-command.ts"
import { modeReport } from "../cli/mode-report.ts"
import { commandAgent } from "../runtime/agent/control.ts"
import type { ModeReport } from "../runtime/agent/status.ts"

export default class Pause extends BaseCommand {
  static override summary = "Suspend what runs and take no work until `resume`."
  static override description =
    "Each running shard writes a checkpoint and ends, so that the cards are free when this returns. Its lease is kept for an hour. A pause outlives a restart of the agent and of the machine."
  static override examples = ["<%= config.bin %> pause", "<%= config.bin %> pause --json"]

  async run(): Promise<ModeReport> {
    const { flags } = await this.parse(Pause)
    const report = await commandAgent(this.openHome(flags), "pause", this.signal)
    this.log(modeReport(report))
    return report
  }
}
