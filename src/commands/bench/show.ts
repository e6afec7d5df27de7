import { BaseCommand } from "../../cli/base-command.ts"
import { benchReport } from "../../cli/bench-report.ts"
import { lastBench } from "../../runtime/agent/last-bench.ts"

export default class BenchShow extends BaseCommand {
  static override summary = "Show the newest capacity report without measuring again."
  static override description =
    "Its signature is checked first. With --json it is the report with the bundle that others can verify."
  static override examples = ["<%= config.bin %> bench show", "<%= config.bin %> bench show --json"]

  async run() {
    const { flags } = await this.parse(BenchShow)
    const kept = await lastBench(this.openHome(flags))
    this.log(benchReport(kept))
    return kept
  }
}
