import { Args, Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { ledgerReport } from "../../cli/ledger-report.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { ledgerKey } from "../../protocol/ledger-proof.ts"
import { type NoteKey, parseVkey } from "../../protocol/tlog/note.ts"
import { readSettings, requireSettings } from "../../runtime/agent/settings.ts"
import { checkLedger } from "../../runtime/ledger/check-ledger.ts"
import { ledgerFiles } from "../../runtime/ledger/files.ts"
import { ProofArchive } from "../../runtime/proof/archive.ts"

export default class LedgerVerify extends BaseCommand {
  static override summary = "Check a whole ledger: that it was not rewritten, and that its books balance."
  static override description =
    "Every entry is read and hashed again; the root must be the one that is signed. Credits may be moved, but not made; no lease may be paid twice, and nothing that is not recorded. What this home's receipts showed must stand there. One receipt alone is checked offline by `proof verify`."
  static override examples = [
    "<%= config.bin %> ledger verify",
    "<%= config.bin %> ledger verify ./copy-of-the-ledger --key zg-agent.dev/ledger/0123456789abcdef+a1b2c3d4+AT…",
    "<%= config.bin %> ledger verify --witness zg-agent.dev/witness/…+…+… --quorum 1",
  ]
  static override args = {
    where: Args.string({
      description:
        "a marketplace, a ledger's address, or a folder with a copy; this home's marketplace when not given",
    }),
  }
  static override flags = {
    key: Flags.string({
      description: "the ledger's key; that of this home's marketplace when not given",
      helpValue: "VKEY",
    }),
    witness: Flags.string({
      description: "key of a witness whose signature is looked for",
      multiple: true,
      helpValue: "VKEY",
    }),
    quorum: Flags.integer({
      description: "so many of the witnesses must have signed; all when not given",
      min: 0,
    }),
  }

  async run() {
    const { args, flags } = await this.parse(LedgerVerify)
    const home = this.openHome(flags)
    const known = readSettings(home)?.market ?? null
    // Without a key there is nothing to check by, and without an address nothing to read.
    const market = known ?? (flags.key && args.where ? null : requireSettings(home).market)
    const pinned = market && ledgerKey(market.publicKey)
    const log = flags.key === undefined ? (pinned as NoteKey) : parseVkey(flags.key)
    const files = ledgerFiles(args.where ?? (market as { url: string }).url)
    const witnesses = flags.witness?.map(parseVkey) ?? []
    const isPinned = market !== null && log.key === pinned?.key
    const receipts = isPinned ? { archive: new ProofArchive(home.proofs), market: market.publicKey } : null
    const toCheck = { files, log, witnesses, quorum: flags.quorum ?? witnesses.length, receipts }
    const spinner = startSpinner("Reading the ledger", this.jsonEnabled() || !process.stderr.isTTY)
    const onProgress = (done: number, of: number) => {
      spinner.text = `Reading the ledger: ${done} of ${of} entries`
    }
    const checked = await checkLedger(toCheck, { signal: this.signal, onProgress }).finally(() =>
      spinner.stop(),
    )
    this.log(ledgerReport(files.where, checked))
    const { root, balances, ...rest } = checked
    const texts = { root: Buffer.from(root).toString("base64"), balances: Object.fromEntries(balances) }
    return { where: files.where, ...rest, ...texts }
  }
}
