import { stripVTControlCharacters, styleText } from "node:util"
import type { Check, CheckState } from "../runtime/doctor/check.ts"
import type { Diagnosis } from "../runtime/doctor/examine.ts"
import { type DoneFix, shownFix } from "../runtime/doctor/fix.ts"
import { counted } from "./counted.ts"

const SIGNS = { ok: "✔", warning: "!", failed: "✖", skipped: "–" } as const
const COLOURS = { ok: "green", warning: "yellow", failed: "red", skipped: "dim" } as const

const MOST_COLUMNS = 110
const LEAST_COLUMNS = 30

/** A line for each check, what to do about it below, and what it comes to at the end. */
export function doctorReport({ checks }: Diagnosis): string {
  return [...checkLines(checks), "", ...conclusion(checks)].join("\n")
}

/** What is otherwise after fixes, and what it comes to now. */
export function afterFixes(before: Diagnosis, { checks }: Diagnosis): string {
  const changed = checks.filter(({ state }, at) => state !== before.checks[at]?.state)
  return ["", ...checkLines(changed), "", ...conclusion(checks)].join("\n")
}

/** Empty where `--fix` would do nothing. */
export function offerOfFixes({ checks }: Diagnosis, bin: string): string[] {
  const fixes = checks.flatMap(check => check.fixes)
  if (fixes.length === 0) return []
  return [`${bin} doctor --fix would do this, after asking:`, ...fixes.map(fix => `  ${shownFix(fix)}`)]
}

function checkLines(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ title }) => title.length))
  return checks.flatMap(check => linesOf(check, width))
}

/** One line for each fix, such as `✔ chmod 700 /srv/zg`. */
export function fixLine({ shown, ok, message }: DoneFix): string {
  return ok ? `${sign("ok")} ${shown}` : `${sign("failed")} ${shown}\n    ${message}`
}

function linesOf({ title, state, fact, remedy, command }: Check, width: number): string[] {
  const indent = " ".repeat(width + 4)
  const [first = "", ...more] = prose(fact, indent.length)
  const shown = state === "skipped" ? styleText("dim", first, { stream: process.stdout }) : first
  const lines = [`${sign(state)} ${title.padEnd(width)}  ${shown}`, ...more.map(line => `${indent}${line}`)]
  if (state === "ok" || state === "skipped") return lines
  const steps = remedy === null ? [] : prose(remedy, indent.length + 2)
  const commands = command === null ? [] : printable(command).split("\n")
  return [
    ...lines,
    ...steps.map(line => `${indent}  ${line}`),
    ...commands.map(line => `${indent}    ${styleText("bold", line, { stream: process.stdout })}`),
  ]
}

/** Broken between words on a terminal, where a break of the terminal's own would lose the indent. */
function prose(text: string, indent: number): string[] {
  const lines = printable(text).split("\n")
  if (!process.stdout.isTTY) return lines
  const width = Math.max(
    LEAST_COLUMNS,
    Math.min(process.stdout.columns || MOST_COLUMNS, MOST_COLUMNS) - indent,
  )
  return lines.flatMap(line => line.match(new RegExp(`\\S.{0,${width - 1}}(?=\\s|$)|\\S+`, "g")) ?? [""])
}

function sign(state: CheckState): string {
  return styleText(COLOURS[state], SIGNS[state], { stream: process.stdout })
}

/** What tools and engines say is shown, and does nothing to the terminal. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/[^\P{Cc}\n]/gu, " ")
}

function conclusion(checks: readonly Check[]): string[] {
  const of = (state: CheckState) => checks.filter(check => check.state === state)
  const [bad, poor] = [of("failed"), of("warning")]
  const rest = `${counted(of("ok").length, "check")} fine, ${of("skipped").length} not applicable`
  const warnings = poor.length === 0 ? "" : `${counted(poor.length, "warning")}, `
  if (bad.length === 0) return [`Nothing failed: ${warnings}${rest}.`]
  const names = bad.map(({ title }) => title).join(", ")
  return [
    `${counted(bad.length, "check")} failed (${names}), ${warnings}${rest}.`,
    `Do what stands below each ${SIGNS.failed}, then look again.`,
  ]
}
