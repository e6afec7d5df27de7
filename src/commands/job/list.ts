import { BaseCommand } from "../../cli/base-command.ts"
import { visitMarket } from "../../runtime/market/visit.ts"

export default class JobList extends BaseCommand {
  static override summary = "List the jobs that this identity submitted."
  static override examples = ["<%= config.bin %> job list", "<%= config.bin %> job list --json"]

  async run() {
    const { flags } = await this.parse(JobList)
    return visitMarket(this.openHome(flags), this.agentName, this.signal, async ({ wire }) => {
      const { jobs } = await wire.request({ type: "jobs" }, "jobList", this.signal)
      for (const { id, state, name } of jobs) this.log(`${id}  ${state.padEnd(7)}  ${name}`)
      if (jobs.length === 0) this.log("No jobs yet. Submit one with `zg-agent job submit job.yaml`.")
      return { jobs }
    })
  }
}
