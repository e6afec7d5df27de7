import { accountOf, accountReport, type Account as Shown } from "../../cli/account-report.ts"
import { BaseCommand } from "../../cli/base-command.ts"
import { visitMarket } from "../../runtime/market/visit.ts"

export default class Account extends BaseCommand {
  static override summary =
    "Show this identity's credits at its marketplace: granted, earned, kept back as its bond, spent, set aside."
  static override examples = ["<%= config.bin %> account", "<%= config.bin %> account --json"]

  async run(): Promise<Shown> {
    const { flags } = await this.parse(Account)
    return visitMarket(this.openHome(flags), this.agentName, this.signal, async ({ wire }) => {
      const account = accountOf(await wire.request({ type: "account" }, "account", this.signal))
      this.log(accountReport(account))
      return account
    })
  }
}
