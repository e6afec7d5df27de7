import { Flags } from "@oclif/core"
import { BaseCommand } from "../../cli/base-command.ts"
import { isolationFlags } from "../../cli/isolation-flags.ts"
import { jailReport } from "../../cli/jail-report.ts"
import { startSpinner } from "../../cli/spinner.ts"
import { chooseEngine } from "../../runtime/agent/choose-engine.ts"
import { readSettings } from "../../runtime/agent/settings.ts"
import { chooseDisks } from "../../runtime/container/disks.ts"
import { readRules } from "../../runtime/host/rules/rules-file.ts"
import { requireJail } from "../../runtime/probe/require-jail.ts"
import { addressOf } from "../../runtime/probe/targets.ts"
import { type SandboxTest, testSandbox } from "../../runtime/probe/test-sandbox.ts"

export default class SandboxTestCommand extends BaseCommand {
  static override summary =
    "Attack the sandbox from inside, as a hostile shard would, and sign what came of it."
  static override description =
    "One container tries every quick way out: files, sockets and addresses of this machine, the kernel's doors, other programs, other cards. With --full, others try to use up memory, processes, disk and log, one container each. Nothing here does harm where it works. The container gets no card; `serve` tries it with each card that it offers. It ends with 30 when anything got through."
  static override examples = [
    "<%= config.bin %> sandbox test",
    "<%= config.bin %> sandbox test --full",
    "<%= config.bin %> sandbox test --json",
  ]
  static override flags = {
    ...isolationFlags,
    full: Flags.boolean({ description: "also what takes some seconds: bombs, fillers and floods" }),
  }

  async run(): Promise<SandboxTest> {
    const { flags } = await this.parse(SandboxTestCommand)
    const home = this.openHome(flags)
    const { profile } = await readRules(home.rules)
    const { engine: name, runtime } = flags
    const { engine } = await chooseEngine({ engine: name, runtime, gpus: false, signal: this.signal })
    const disks = await chooseDisks(home.shards, this.signal)
    const market = readSettings(home)?.market.url
    const addresses = market === undefined ? [] : await addressOf(market)
    const spinner = startSpinner("Attacking", this.jsonEnabled() || !process.stderr.isTTY)
    const onStep = (what: string) => {
      spinner.text = `Attacking: ${what}`
    }
    const options = {
      engine,
      gpu: { device: "cpu" } as const,
      disks,
      profile,
      addresses,
      home,
      full: flags.full,
      onStep,
    }
    const tested = await testSandbox(options, this.signal).finally(() => spinner.stop())
    this.log(jailReport(tested))
    requireJail(tested.report, tested.bombs)
    return tested
  }
}
