import { Args, Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { openLink, printJob } from "../../cli/follow.ts"
import { fundsLine } from "../../cli/funds.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { PayFrom } from "../../protocol/job.ts"
import { BlobTransfer } from "../../runtime/blob/transfer.ts"
import { connectEngine } from "../../runtime/container/connect.ts"
import { resolveImage } from "../../runtime/job/image.ts"
import { readJobFile } from "../../runtime/job/job-file.ts"
import { submitJob } from "../../runtime/job/submit.ts"
import { registryUrl } from "../../runtime/market/session.ts"
import { visitMarket } from "../../runtime/market/visit.ts"
import { BlobStore } from "../../store/blob-store.ts"

export default class JobSubmit extends BaseCommand {
  static override summary = "Hand in a job: upload its data, push its image, set its price aside."
  static override description =
    "The most that all shards can cost is set aside from this identity's credits; what is not spent goes back to where it came from when the job ends."
  static override examples = [
    "<%= config.bin %> job submit job.yaml",
    "<%= config.bin %> job submit job.yaml --pay-from self",
    "<%= config.bin %> job submit examples/king-james.yaml --follow",
  ]
  static override args = { file: Args.string({ description: "the job file", required: true }) }
  static override flags = {
    "pay-from": Flags.option({ options: PayFrom.options })({
      description: "any: granted credits first, then earned ones; self: only what this identity has earned",
      default: "any",
    }),
    follow: Flags.boolean({ char: "f", description: "go on and show it until it is over" }),
  }

  async run() {
    const { args, flags } = await this.parse(JobSubmit)
    const home = this.openHome(flags)
    const file = await readJobFile(args.file)
    const { signal } = this
    const { id: job, paidFrom } = await visitMarket(home, this.agentName, signal, async ({ wire, token }) => {
      const registry = { url: registryUrl(wire.url), token: () => token }
      const store = new BlobStore(home.blobs)
      const transfer = new BlobTransfer({ registry, store })
      const spinner = startSpinner("Submitting", this.jsonEnabled())
      const say = (what: string) => {
        spinner.text = `Submitting: ${what}`
      }
      const publishImage = () => resolveImage(file.image, registry, () => connectEngine({ signal }), signal)
      try {
        const submission = { wire, store, transfer, publishImage, payFrom: flags["pay-from"], say }
        const submitted = await submitJob(file, submission, signal)
        const text = `Submitted ${submitted.id}: ${fundsLine(submitted.paidFrom)} set aside`
        spinner.stopAndPersist({ symbol: "✔", text })
        return submitted
      } finally {
        spinner.stop()
      }
    })
    if (flags.follow) {
      const link = await openLink(home, this.agentName, this.openLog(flags))
      return printJob(link, job, this.jsonEnabled(), signal)
    }
    this.log(`Follow it with \`${this.config.bin} job status ${job} --follow\`.`)
    return { job, paidFrom }
  }
}
