import { type Account, accountOf, accountReport } from "../../cli/account-report.ts"
import { BaseCommand } from "../../cli/base-command.ts"
import { formatCredits } from "../../protocol/credits.ts"
import { visitMarket } from "../../runtime/market/visit.ts"

export default class AccountRelease extends BaseCommand {
  static override summary = "Have the bond paid out to this identity's earned credits."
  static override description =
    "For a host that leaves. The bond grows out of a part of each payment and is what a failed audit costs. Without it every shard of this agent is audited again, as a new agent's. It is paid out when no proof of this agent waits for its audits: drain the agent first, and wait for its last receipt."
  static override examples = ["<%= config.bin %> account release", "<%= config.bin %> account release --json"]

  async run(): Promise<Account> {
    const { flags } = await this.parse(AccountRelease)
    return visitMarket(this.openHome(flags), this.agentName, this.signal, async ({ wire }) => {
      const { bond } = await wire.request({ type: "account" }, "account", this.signal)
      const account = accountOf(await wire.request({ type: "release" }, "account", this.signal))
      this.log(bond === 0 ? "There is no bond to pay out." : paidOut(bond))
      this.log(accountReport(account))
      return account
    })
  }
}

function paidOut(bond: number): string {
  return `The bond of ${formatCredits(bond)} credits is paid out. Every shard of this agent is audited from now on, until a bond has grown again.`
}
