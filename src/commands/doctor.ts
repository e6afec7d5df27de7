import { createInterface } from "node:readline"
import { Flags } from "@oclif/core"
import { BaseCommand } from "../cli/base-command.ts"
import { afterFixes, doctorReport, fixLine, offerOfFixes } from "../cli/doctor-report.ts"
import { isolationFlags } from "../cli/isolation-flags.ts"
import { startSpinner } from "../cli/spinner.ts"
import { sysfsFlag } from "../cli/sysfs-flag.ts"
import { EXIT_CODES, Fault } from "../protocol/fault.ts"
import { type Diagnosis, type ExamineOptions, examine, examineAgain } from "../runtime/doctor/examine.ts"
import { carryOut, type DoneFix, shownFix } from "../runtime/doctor/fix.ts"

export default class Doctor extends BaseCommand {
  static override summary = "Check everything this machine needs to run shards, and say what to do about it."
  static override description =
    "Every check is made in one pass, also after one has failed. With --fix, what can be done safely is shown and then done: nothing that touches a driver, removes data or installs a program. It ends with 10 when a check failed, and with 0 for warnings."
  static override examples = [
    "<%= config.bin %> doctor",
    "<%= config.bin %> doctor --json",
    "sudo <%= config.bin %> doctor --fix",
  ]
  static override flags = {
    fix: Flags.boolean({ description: "do what can be done safely, after showing it" }),
    yes: Flags.boolean({ char: "y", description: "with --fix: do not ask", dependsOn: ["fix"] }),
    ...isolationFlags,
    sysfs: sysfsFlag,
  }

  async run(): Promise<Diagnosis & { fixed: DoneFix[] }> {
    const { flags } = await this.parse(Doctor)
    if (flags.fix && !flags.yes && !(process.stdin.isTTY && process.stderr.isTTY)) throw nobodyToAsk()
    const { engine, runtime } = flags
    const place = {
      openHome: () => this.openHome(flags),
      sysfs: flags.sysfs,
      agent: this.agentName,
      isolation: { engine, runtime },
    }
    const before = await this.#look(onCheck => examine({ ...place, onCheck }, this.signal))
    this.log(doctorReport(before))
    if (!flags.fix) for (const line of offerOfFixes(before, this.config.bin)) this.log(line)
    const fixed = flags.fix ? await this.#mend(before, flags) : []
    const after = fixed.length === 0 ? before : await this.#again(before, place)
    if (!after.ok) process.exitCode = EXIT_CODES.host
    return { ...after, fixed }
  }

  async #again(before: Diagnosis, place: ExamineOptions): Promise<Diagnosis> {
    const after = await this.#look(onCheck => examineAgain(before, { ...place, onCheck }, this.signal))
    this.log(afterFixes(before, after))
    return after
  }

  /** Shows what would be done, asks once, and does it. */
  async #mend({ checks }: Diagnosis, flags: { yes: boolean; home?: string | undefined }): Promise<DoneFix[]> {
    const fixes = checks.flatMap(check => check.fixes)
    if (fixes.length === 0) {
      tell("\nThere is nothing here that --fix could do.")
      return []
    }
    tell(["", "To be done:", ...fixes.map(fix => `  ${shownFix(fix)}`)].join("\n"))
    if (!flags.yes && !(await confirmed("Do these? [y/N] ", this.signal))) {
      tell("Nothing was done.")
      return []
    }
    const done: DoneFix[] = []
    for (const fix of fixes) {
      const one = await carryOut(fix, () => this.openHome(flags), this.signal)
      this.log(fixLine(one))
      done.push(one)
    }
    return done
  }

  async #look(pass: (onCheck: (over: number, of: number) => void) => Promise<Diagnosis>): Promise<Diagnosis> {
    const spinner = startSpinner("Looking", this.jsonEnabled() || !process.stderr.isTTY)
    try {
      return await pass((over, of) => {
        spinner.text = `Looking: ${over} of ${of} checks`
      })
    } finally {
      spinner.stop()
    }
  }
}

/** Also with --json: nothing is done that was not shown before. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Anything but a clear yes is a no, the end of the input too. */
async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  process.stderr.write(question)
  for await (const line of createInterface({ input: process.stdin, signal }))
    return /^y(es)?$/i.test(line.trim())
  signal.throwIfAborted()
  return false
}

function nobodyToAsk(): Fault {
  return new Fault(
    "bad-argument",
    "There is no terminal on which --fix could ask before it does something.",
    {
      hint: "Run it with --fix --yes to have it done without being asked; without --fix it only looks.",
    },
  )
}
