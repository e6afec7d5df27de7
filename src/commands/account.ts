import { BaseCommand } from "../cli/base-command.ts"
import { formatCredits } from "../protocol/credits.ts"
import { visitMarket } from "../runtime/market/visit.ts"

export default class Account extends BaseCommand {
  static override summary =
    "Show this identity's credits at its marketplace: granted, earned, spent, set aside."
  static override examples = ["<%= config.bin %> account", "<%= config.bin %> account --json"]

  async run() {
    const { flags } = await this.parse(Account)
    return visitMarket(this.openHome(flags), this.agentName, this.signal, async ({ wire }) => {
      const frame = await wire.request({ type: "account" }, "account", this.signal)
      const { balance, granted, own, earned, spent, escrow } = frame
      this.log(`${formatCredits(balance)} credits`)
      this.log(`  granted   ${formatCredits(granted)}`)
      this.log(`  earned    ${formatCredits(own)} of ${formatCredits(earned)} in all`)
      this.log(`  set aside ${formatCredits(escrow)} for jobs that are not over`)
      this.log(`  spent     ${formatCredits(spent)}`)
      return { balance, granted, own, earned, spent, escrow }
    })
  }
}
