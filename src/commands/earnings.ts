import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { earningsReport } from "../cli/earnings-report.ts"
import { parseCredits } from "../protocol/credits.ts"
import { earningsBy, earningsOf, GROUPINGS } from "../runtime/earnings/earnings.ts"
import { paidWork, parseSince } from "../runtime/earnings/paid-shards.ts"
import { ProofArchive } from "../runtime/proof/archive.ts"

export default class Earnings extends BaseCommand {
  static override summary = "Show what this agent's work has brought, by day, job or GPU."
  static override description =
    "It reads this home's own proofs and receipts, also without a connection. Amounts are after the marketplace's fee, with what of them goes to the bond. With a tariff the cost of the cards' energy is taken off. Royalties are not in it: `account` tells them."
  static override examples = [
    "<%= config.bin %> earnings",
    "<%= config.bin %> earnings --by gpu --since 2026-11-01",
    "<%= config.bin %> earnings --by job --tariff 0.30 --json",
  ]
  static override flags = {
    by: Flags.option({ options: GROUPINGS })({ description: "what to sum by; days are UTC", default: "day" }),
    since: Flags.string({ description: "only what was settled since then", helpValue: "DAY" }),
    tariff: Flags.string({
      description: "what a kilowatt-hour costs, in credits",
      env: "ZG_TARIFF",
      helpValue: "CREDITS",
    }),
  }

  async run() {
    const { flags } = await this.parse(Earnings)
    const { by, since } = flags
    const tariff = flags.tariff === undefined ? null : parseCredits(flags.tariff)
    const archive = new ProofArchive(this.openHome(flags).proofs)
    const { shards, open } = await paidWork(archive, since === undefined ? 0 : parseSince(since))
    const [groups, total] = [earningsBy(shards, by, tariff), earningsOf(shards, tariff)]
    if (shards.length === 0) this.log("Nothing was paid yet: shards that `serve` settles are listed here.")
    else this.log(earningsReport({ by, groups, total, open, isPriced: tariff !== null }))
    return { by, tariff, groups, total, open }
  }
}
