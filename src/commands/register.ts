import { hostname } from "node:os"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { sysfsFlag } from "../cli/sysfs-flag.ts"
import { formatCredits } from "../protocol/credits.ts"
import { register } from "../runtime/agent/register.ts"

export default class Register extends BaseCommand {
  static override summary = "Make an identity, look at the machine, and enrol at a marketplace."
  static override description =
    "The identity is an Ed25519 key in the state folder; it is made once and never leaves this machine. Registering again is harmless: the marketplace knows the key."
  static override examples = [
    "<%= config.bin %> register --market ws://127.0.0.1:7464",
    "ZG_HOME=/srv/rig-2 <%= config.bin %> register --market wss://market.example --name rig-2",
  ]
  static override flags = {
    market: Flags.string({
      char: "m",
      description: "address of the marketplace, ws:// or wss://",
      env: "ZG_MARKET",
      required: true,
      helpValue: "URL",
    }),
    name: Flags.string({
      description: "name for this agent",
      env: "ZG_NAME",
      default: async () => hostname().slice(0, 80),
      noCacheDefault: true,
    }),
    sysfs: sysfsFlag,
    "trust-new-key": Flags.boolean({
      description: "accept that the marketplace shows another key than last time (ask its operator first)",
    }),
  }

  async run() {
    const { flags } = await this.parse(Register)
    const registration = await register(
      {
        home: this.openHome(flags),
        url: flags.market,
        name: flags.name,
        trustNewKey: flags["trust-new-key"],
        sysfs: flags.sysfs,
        agent: this.agentName,
      },
      this.signal,
    )
    this.log(
      `${registration.again ? "Already registered" : "Registered"} as ${flags.name} at ${registration.market.url}.`,
    )
    this.log(`  agent   ${registration.agent}`)
    this.log(`  market  ${registration.market.keyId}`)
    this.log(`  credits ${formatCredits(registration.balance)}`)
    this.log(
      `Next: ${registration.measuredOn === null ? `${this.config.bin} bench, ` : ""}${this.config.bin} doctor, then ${this.config.bin} serve; or ${this.config.bin} job submit`,
    )
    return registration
  }
}
