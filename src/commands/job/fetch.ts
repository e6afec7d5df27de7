import { Args, Flags } from "@oclif/core"
import prettyBytes from "pretty-bytes"
import { BaseCommand } from "../../cli/base-command.ts"
import { BlobTransfer } from "../../runtime/blob/transfer.ts"
import { fetchResults } from "../../runtime/job/fetch.ts"
import { parseJobId } from "../../runtime/job/follow.ts"
import { registryUrl } from "../../runtime/market/session.ts"
import { visitMarket } from "../../runtime/market/visit.ts"
import { BlobStore } from "../../store/blob-store.ts"

export default class JobFetch extends BaseCommand {
  static override summary = "Download what a finished job made, checked against its digests."
  static override examples = [
    "<%= config.bin %> job fetch job-0123456789ab",
    "<%= config.bin %> job fetch job-0123456789ab --out trained",
  ]
  static override args = { job: Args.string({ description: "the job's id", required: true }) }
  static override flags = {
    out: Flags.string({
      char: "o",
      description: "folder for the results; the job's id when not given",
      helpValue: "DIR",
    }),
  }

  async run() {
    const { args, flags } = await this.parse(JobFetch)
    const job = parseJobId(args.job)
    const home = this.openHome(flags)
    return visitMarket(home, this.agentName, this.signal, async ({ wire, token }) => {
      const { status } = await wire.request({ type: "watch", job }, "job", this.signal)
      const store = new BlobStore(home.blobs)
      const transfer = new BlobTransfer({
        registry: { url: registryUrl(wire.url), token: () => token },
        store,
      })
      const files = await fetchResults(status, flags.out ?? job, store, transfer, this.signal)
      for (const { path, size } of files) this.log(`${path}  ${prettyBytes(size)}`)
      return { job, files }
    })
  }
}
