import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { auditedLine, modeReport } from "../cli/mode-report.ts"
import { commandAgent } from "../runtime/agent/control.ts"
import { untilDrained } from "../runtime/agent/drain.ts"
import type { ModeReport } from "../runtime/agent/status.ts"

export default class Drain extends BaseCommand {
  static override summary = "Take nothing new, finish what is on the road, then end the agent."
  static override description =
    "For updates and for moving house: the agent ends with exit code 0 when its last shard is settled or given up. Shards whose proofs wait for audits are not waited for: they go on at the next start. Paused shards walk on for that."
  static override examples = ["<%= config.bin %> drain", "<%= config.bin %> drain --wait --json"]
  static override flags = {
    wait: Flags.boolean({ description: "return when the agent has ended", env: "ZG_WAIT" }),
  }

  async run(): Promise<ModeReport & { ended: boolean }> {
    const { flags } = await this.parse(Drain)
    const home = this.openHome(flags)
    const report = await commandAgent(home, "drain", this.signal)
    this.log(modeReport(report))
    if (flags.wait) {
      const audited = await untilDrained(home, report.pid, this.signal)
      this.log("The agent has ended; nothing is left on the road.")
      if (audited > 0) this.log(auditedLine(audited))
    }
    return { ...report, ended: flags.wait }
  }
}
