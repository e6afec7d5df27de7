import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { bundleDigest } from "../../protocol/statement.ts"
import { parseJobId } from "../../runtime/job/follow.ts"
import { ProofArchive } from "../../runtime/proof/archive.ts"

export default class ProofList extends BaseCommand {
  static override summary = "List the proofs that this agent signed, newest first."
  static override examples = [
    "<%= config.bin %> proof list",
    "<%= config.bin %> proof list --job job-0123456789ab --json",
  ]
  static override flags = { job: Flags.string({ description: "only this job's", helpValue: "JOB" }) }

  async run() {
    const { flags } = await this.parse(ProofList)
    const job = flags.job === undefined ? null : parseJobId(flags.job)
    const proofs = []
    for await (const { bundle, receipt, assignment } of new ProofArchive(
      this.openHome(flags).proofs,
    ).list()) {
      if (job !== null && assignment.job !== job) continue
      const row = {
        proof: bundleDigest(bundle),
        job: assignment.job,
        shard: assignment.shard.label,
        settled: receipt !== null,
      }
      proofs.push(row)
      this.log(`${row.proof.slice(7, 23)}  ${row.job}  ${row.settled ? "settled" : "open   "}  ${row.shard}`)
    }
    if (proofs.length === 0)
      this.log(`No proofs yet: they come with work done by \`${this.config.bin} serve\`.`)
    return { proofs }
  }
}
