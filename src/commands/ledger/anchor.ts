import { Flags } from "@oclif/core"
import { chainFlags, parseCoins, requireRpc } from "../../cli/anchor-flags.ts"
import { sentAnchorReport } from "../../cli/anchor-report.ts"
import { BaseCommand } from "../../cli/base-command.ts"
import { chooseLedger, keyFlag, whereArg } from "../../cli/ledger-flags.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { anchorLedger } from "../../runtime/ledger/anchor/anchor-ledger.ts"
import { Anchors } from "../../runtime/ledger/anchor/anchors.ts"
import { openChain } from "../../runtime/ledger/anchor/chain.ts"
import { readWalletKey } from "../../runtime/ledger/anchor/wallet.ts"

export default class LedgerAnchor extends BaseCommand {
  static override summary = "Write a ledger's newest root to an EVM chain, where nobody can change it."
  static override description =
    "Anybody may: it takes an account that pays for one small transaction, and nothing of the marketplace. What is written is signed by the ledger, so that `ledger verify --anchor` knows it from what others write. A ledger that does not go on from the last anchor sent from here is not anchored."
  static override examples = [
    "<%= config.bin %> ledger anchor --rpc http://127.0.0.1:8545 --key-file ./wallet.key",
    "<%= config.bin %> ledger anchor ./copy-of-the-ledger --key zg-agent.dev/ledger/0123456789abcdef+a1b2c3d4+AT… --rpc https://… --chain 1 --key-file ./wallet.key",
  ]
  static override args = { where: whereArg }
  static override flags = {
    key: keyFlag,
    ...chainFlags,
    "key-file": Flags.file({
      description: "file of mode 0600 with the private key of the account that pays, 64 hex digits",
      required: true,
      helpValue: "FILE",
    }),
    "max-cost": Flags.string({
      description: "what the transaction may cost at most, in the chain's own coin",
      default: "0.01",
      helpValue: "COINS",
    }),
  }

  async run() {
    const { args, flags } = await this.parse(LedgerAnchor)
    const home = this.openHome(flags)
    const { files, log } = chooseLedger(home, args.where, flags.key)
    const rpc = requireRpc(flags.rpc)
    const maxCostWei = parseCoins(flags["max-cost"])
    const key = await readWalletKey(flags["key-file"])
    const spinner = startSpinner("Anchoring the ledger", this.jsonEnabled() || !process.stderr.isTTY)
    const anchored = await openChain(rpc, flags.chain ?? null, this.signal)
      .then(chain => {
        const anchors = new Anchors(home.anchors)
        return anchorLedger({ files, log, chain, key, maxCostWei, anchors, clock: Date.now }, this.signal)
      })
      .finally(() => spinner.stop())
    this.log(sentAnchorReport(anchored))
    const { checkpoint, block, ...rest } = anchored
    const { origin, size, root } = checkpoint
    const tree = { origin, size, root: Buffer.from(root).toString("base64") }
    return { ...rest, block: block.number, at: block.at.toISOString(), ...tree }
  }
}
