import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { sandboxReport } from "../../cli/sandbox-report.ts"
import { PROFILES, type ProfileName } from "../../runtime/container/policy.ts"
import { describePolicy } from "../../runtime/host/rules/describe.ts"
import { readRules } from "../../runtime/host/rules/rules-file.ts"
import { GRACE_MS } from "../../runtime/shard/grace.ts"

export default class SandboxShow extends BaseCommand {
  static override summary = "Print the whole sandbox: every wall with what it stops, and the owner's rules."
  static override description =
    "It is what the next shard runs behind, and what proofs name by digest. Rules are read from rules.yaml in the state folder; without it the defaults hold. No engine is needed."
  static override examples = [
    "<%= config.bin %> sandbox show",
    "<%= config.bin %> sandbox show --profile jit",
    "<%= config.bin %> sandbox show --json",
  ]
  static override flags = {
    profile: Flags.option({ options: Object.keys(PROFILES) as ProfileName[] })({
      description: "the walls of this profile instead of the owner's choice",
    }),
  }

  async run() {
    const { flags } = await this.parse(SandboxShow)
    const home = this.openHome(flags)
    const rules = await readRules(home.rules)
    const policy = describePolicy(rules, flags.profile ?? rules.profile, GRACE_MS)
    this.log(sandboxReport(policy, home.rules))
    return policy
  }
}
