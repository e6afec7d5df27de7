import { Args, Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { openLink, printJob } from "../../cli/follow.ts"
import { jobReport } from "../../cli/job-report.ts"
import { parseJobId } from "../../runtime/job/follow.ts"
import { visitMarket } from "../../runtime/market/visit.ts"

export default class JobStatus extends BaseCommand {
  static override summary = "Show how far a job is: rounds, losses, shards, credits."
  static override description = "With --follow and --json, each change is one line of JSON."
  static override examples = [
    "<%= config.bin %> job status job-0123456789ab",
    "<%= config.bin %> job status job-0123456789ab --follow",
  ]
  static override args = { job: Args.string({ description: "the job's id", required: true }) }
  static override flags = { follow: Flags.boolean({ char: "f", description: "go on until the job is over" }) }

  async run() {
    const { args, flags } = await this.parse(JobStatus)
    const job = parseJobId(args.job)
    const home = this.openHome(flags)
    const status = await visitMarket(home, this.agentName, this.signal, async ({ wire }) => {
      return (await wire.request({ type: "watch", job }, "job", this.signal)).status
    })
    if (flags.follow) {
      const link = await openLink(home, this.agentName, this.openLog(flags))
      return printJob(link, job, this.jsonEnabled(), this.signal)
    }
    this.log(jobReport(status))
    return status
  }
}
