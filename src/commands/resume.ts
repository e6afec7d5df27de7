import { BaseCommand } from "../cli/base-command.ts"
import { modeReport } from "../cli/mode-report.ts"
import { commandAgent } from "../runtime/agent/control.ts"
import type { ModeReport } from "../runtime/agent/status.ts"

export default class Resume extends BaseCommand {
  static override summary = "End a pause or a drain: go on from the checkpoints and take work again."
  static override examples = ["<%= config.bin %> resume", "<%= config.bin %> resume --json"]

  async run(): Promise<ModeReport> {
    const { flags } = await this.parse(Resume)
    const report = await commandAgent(this.openHome(flags), "resume", this.signal)
    this.log(modeReport(report))
    return report
  }
}
