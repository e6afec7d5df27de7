import { Args, Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { counted } from "../../cli/counted.ts"
import { formatCredits } from "../../protocol/credits.ts"
import { Fault } from "../../protocol/fault.ts"
import { requireSettings } from "../../runtime/agent/settings.ts"
import { parseJobId } from "../../runtime/job/follow.ts"
import { type ArchivedProof, ProofArchive } from "../../runtime/proof/archive.ts"
import { checkArchived } from "../../runtime/proof/check-archive.ts"
import { loadIdentity } from "../../store/identity.ts"

export default class ProofVerify extends BaseCommand {
  static override summary =
    "Check proofs: signature, lease, inputs and outputs, and the marketplace's receipt."
  static override description =
    "It stops at the first proof that does not check, and says which field is wrong. docs/protocol.md shows how to check a bundle with openssl alone."
  static override examples = [
    "<%= config.bin %> proof verify 4f2a9c",
    "<%= config.bin %> proof verify --all",
    "<%= config.bin %> proof verify --job job-0123456789ab",
  ]
  static override args = { proof: Args.string({ description: "digest of the proof, or its first digits" }) }
  static override flags = {
    all: Flags.boolean({ description: "every proof in this home", exclusive: ["job"] }),
    job: Flags.string({ description: "every proof of this job", helpValue: "JOB" }),
  }

  async run() {
    const { args, flags } = await this.parse(ProofVerify)
    const home = this.openHome(flags)
    const { market } = requireSettings(home)
    const { publicKey } = await loadIdentity(home.identity)
    const proofs = []
    for await (const archived of chosen(new ProofArchive(home.proofs), args.proof, flags)) {
      const { proof, receipt } = checkArchived(archived, publicKey, market.publicKey)
      const paid = receipt?.predicate.zg_settlement.paid ?? 0
      const { job, shard } = archived.assignment
      proofs.push({ proof, job, shard: shard.label, verified: true, settled: receipt !== null, paid })
      const answer = receipt === null ? "no receipt yet" : `paid ${formatCredits(paid)}`
      this.log(`✔ ${proof.slice(7, 23)}  ${job}  ${shard.label}  ${answer}`)
    }
    this.log(`${counted(proofs.length, "proof")} verified.`)
    return { proofs }
  }
}

async function* chosen(
  archive: ProofArchive,
  name: string | undefined,
  { all, job }: { all: boolean; job?: string | undefined },
): AsyncGenerator<ArchivedProof> {
  if (name !== undefined) yield await archive.load(name)
  else if (!all && job === undefined) throw nothingChosen()
  else {
    const only = job === undefined ? null : parseJobId(job)
    for await (const archived of archive.list())
      if (only === null || archived.assignment.job === only) yield archived
  }
}

function nothingChosen(): Fault {
  return new Fault("bad-argument", "No proof is named.", {
    hint: "Give a proof's digest, or --all, or --job; `zg-agent proof list` shows what is there.",
  })
}
