import { Args, Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { Fault } from "../../protocol/fault.ts"
import { requireSettings } from "../../runtime/agent/settings.ts"
import { ProofArchive } from "../../runtime/proof/archive.ts"
import { bundleWithInclusion } from "../../runtime/proof/sigstore.ts"

export default class ProofShow extends BaseCommand {
  static override summary =
    "Print a proof: the statement that was signed, or the bundle that others can verify."
  static override description =
    "The statement is in-toto v1 with SLSA Provenance v1; the bundle is a Sigstore bundle v0.3, with its place in the marketplace's ledger once the proof is settled."
  static override examples = [
    "<%= config.bin %> proof show 4f2a9c",
    "<%= config.bin %> proof show 4f2a9c --bundle > proof.sigstore.json",
    "<%= config.bin %> proof show 4f2a9c --receipt",
  ]
  static override args = {
    proof: Args.string({ description: "digest of the proof, or its first digits", required: true }),
  }
  static override flags = {
    bundle: Flags.boolean({
      description: "the signed bundle instead of the statement",
      exclusive: ["receipt"],
    }),
    receipt: Flags.boolean({ description: "the marketplace's signed receipt instead of the statement" }),
  }

  async run() {
    const { args, flags } = await this.parse(ProofShow)
    const home = this.openHome(flags)
    const { bundle, receipt, ledger } = await new ProofArchive(home.proofs).load(args.proof)
    const shown = flags.bundle
      ? ledger === null
        ? bundle
        : bundleWithInclusion(bundle, ledger, requireSettings(home).market.publicKey)
      : flags.receipt
        ? receipt
        : JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString())
    if (shown === null) throw notAnswered()
    this.log(JSON.stringify(shown, null, 2))
    return shown
  }
}

function notAnswered(): Fault {
  return new Fault("receipt-missing", "The marketplace has not answered this proof yet.", {
    hint: "It is handed in again by itself while the agent serves: `zg-agent serve --cpu-slots 1`.",
  })
}
