import { Flags } from "@oclif/core"
import { anchorFlags, openAnchorCheck } from "../../cli/anchor-flags.ts"
import { checkedAnchorReport } from "../../cli/anchor-report.ts"
import { BaseCommand } from "../../cli/base-command.ts"
import { chooseLedger, keyFlag, whereArg } from "../../cli/ledger-flags.ts"
import { ledgerReport } from "../../cli/ledger-report.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { parseVkey } from "../../protocol/tlog/note.ts"
import { Anchors } from "../../runtime/ledger/anchor/anchors.ts"
import { checkLedger } from "../../runtime/ledger/check-ledger.ts"
import { ProofArchive } from "../../runtime/proof/archive.ts"

export default class LedgerVerify extends BaseCommand {
  static override summary = "Check a whole ledger: that it was not rewritten, and that its books balance."
  static override description =
    "Every entry is read and hashed again; the root must be the one that is signed. Credits may be moved, but not made; no lease may be paid twice, and nothing that is not recorded. What this home's receipts showed must stand there. One receipt alone is checked offline by `proof verify`."
  static override examples = [
    "<%= config.bin %> ledger verify",
    "<%= config.bin %> ledger verify ./copy-of-the-ledger --key zg-agent.dev/ledger/0123456789abcdef+a1b2c3d4+AT…",
    "<%= config.bin %> ledger verify --witness zg-agent.dev/witness/…+…+… --quorum 1",
    "<%= config.bin %> ledger verify --anchor --rpc http://127.0.0.1:8545",
  ]
  static override args = { where: whereArg }
  static override flags = {
    key: keyFlag,
    witness: Flags.string({
      description: "key of a witness whose signature is looked for",
      multiple: true,
      helpValue: "VKEY",
    }),
    quorum: Flags.integer({
      description: "so many of the witnesses must have signed; all when not given",
      min: 0,
    }),
    ...anchorFlags,
  }

  async run() {
    const { args, flags } = await this.parse(LedgerVerify)
    const home = this.openHome(flags)
    const { files, log, market } = chooseLedger(home, args.where, flags.key)
    const witnesses = flags.witness?.map(parseVkey) ?? []
    const receipts = market && { archive: new ProofArchive(home.proofs), market: market.publicKey }
    const anchors = new Anchors(home.anchors)
    const anchorCheck = await openAnchorCheck(flags, { anchors, log }, this.signal)
    const toCheck = { files, log, witnesses, quorum: flags.quorum ?? witnesses.length, receipts }
    const spinner = startSpinner("Reading the ledger", this.jsonEnabled() || !process.stderr.isTTY)
    const onProgress = (done: number, of: number) => {
      spinner.text = `Reading the ledger: ${done} of ${of} entries`
    }
    const checked = await checkLedger(toCheck, { signal: this.signal, onProgress }).finally(() =>
      spinner.stop(),
    )
    this.log(ledgerReport(files.where, checked))
    const anchor = (await anchorCheck?.(files, checked)) ?? null
    if (anchor) this.log(checkedAnchorReport(anchor))
    const { balances, ...rest } = checked
    const told = { where: files.where, ...withRootText(rest), balances: Object.fromEntries(balances) }
    return anchor === null ? told : { ...told, anchor: withRootText(anchor) }
  }
}

function withRootText<T extends { root: Uint8Array }>({ root, ...rest }: T) {
  return { ...rest, root: Buffer.from(root).toString("base64") }
}
