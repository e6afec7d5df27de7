import { BaseCommand } from "../../cli/base-command.ts"
import { benchReport } from "../../cli/bench-report.ts"
import { htmlFlag } from "../../cli/html-flag.ts"
import { pagePath, writePage } from "../../runtime/agent/bench-page.ts"
import { lastBench } from "../../runtime/agent/last-bench.ts"

export default class BenchShow extends BaseCommand {
  static override summary =
    "Show the newest capacity report, as a table or as a page, without measuring again."
  static override description =
    "Its signature is checked first. With --json it is the report with the bundle that others can verify."
  static override examples = [
    "<%= config.bin %> bench show",
    "<%= config.bin %> bench show --html report.html",
    "<%= config.bin %> bench show --json",
  ]
  static override flags = { html: htmlFlag }

  async run() {
    const { flags } = await this.parse(BenchShow)
    const target = await pagePath(flags.html)
    const kept = await lastBench(this.openHome(flags))
    const page = await writePage(target, kept)
    this.log(benchReport(kept, page))
    return { ...kept, page }
  }
}
